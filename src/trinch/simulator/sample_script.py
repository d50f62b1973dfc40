"""The script of the sample story: every line its cast posts.

Owns text only, written by hand. A grain silo explodes in Port Esker, a harbour town that exists on no map;
the number of dead moves, a rumour of sabotage spreads and is denied, a newsroom takes back a post. Nobody
in it is real. Read by `sample.py`.

Script: a line `day hour:minute handle` opens a post, its text follows up to the next empty line. After the
handle: `=name` names the post, `>name` answers that one, `+name` quotes it, `*` attaches a picture, `~` says
that many will repost it, `%` that others will paste it as their own. `edit name` changes the text of that
post, `delete name` takes it back, `suspend handle` hides that account. Days are of March 2026, times UTC.
"""

SCRIPT = """
17 08:12 cafedelajetee *
Grand soleil sur Port-Esker ce matin, la terrasse est ouverte et le port sent le café et le blé. Venez tôt,
les dockers ont déjà pris les bonnes places.

17 09:40 EskerHarbour
Two grain carriers at Merrow Quay today, the Halcyon Bay and the Sorrel. Expect lorry queues on Quay Road
until about 17:00.

17 11:25 suzylantern
Queue of grain lorries on Quay Road again. If you need me I will be in traffic until retirement.
#PortEsker

17 14:07 tomas_okk =bang ~ *
Huge explosion at Merrow Quay. I am at pier 2 and the top of the grain silo is just gone. Ears ringing.
Everyone get away from the quay

17 14:08 lenavarrick =windows
Every window on Candle Street just blew in. What was that?? Port Esker

17 14:09 MarionDuvallec ~
Énorme explosion à Port-Esker, toute la maison a tremblé. Une colonne de fumée au-dessus du quai Merrow.

17 14:10 jonah_at_sea ~ *
We felt it three miles out. From the boat it looks like the big silo on Merrow Quay has split down one side.
Turning back to help.

17 14:12 gus_on_pier4
pier 4 here. people are walking out of the dust completely white, coughing. someone send ambulances to the
Merrow side NOW

17 14:14 sami_trevennec
Je suis rue des Cordiers, des tuiles partout, plus de courant. Quelqu'un sait ce qui a explosé au port ?

17 14:16 wrenhalloran >windows
Same here on Weavers' Row, the whole shop front is on the pavement. Nobody hurt thank goodness.

17 14:21 PortEskerFire =fire1 ~ %
We are responding to an explosion at the Merrow Quay grain terminal. Please keep Quay Road clear for
emergency vehicles and stay at least 500 metres away.

17 14:26 EskerTribune =trib1 ~
BREAKING: Explosion at the grain silo on Merrow Quay in Port Esker. Witnesses describe a blast that broke
windows across the old town. More soon.

17 14:28 CoastlineNews =coast1
Explosion reported at a silo on Marrow Quay, Port Esker. Our reporter is on her way.

17 14:33 RadioVerrane ~
Une explosion s'est produite vers 15 h 07, heure locale, au silo à grains du quai Merrow à Port-Esker. Les
secours sont sur place.

17 14:35 edit coast1
Explosion reported at a grain silo on Merrow Quay, Port Esker. Our reporter is on her way. (Corrects spelling
of the quay.)

17 14:38 EskerHarbour
The harbour is closed to all traffic until further notice. The 16:00 and 18:30 ferries to Saint-Lunec are
cancelled.

17 14:41 nurse_adaf
Called in on my day off. If you are walking wounded please go to the Rope Lane clinic and leave the hospital
for the serious cases. Port Esker

17 14:47 PrefVerrane =pref0 ~
Explosion au silo du quai Merrow à Port-Esker : le plan de secours est activé. Évitez le secteur et
n'encombrez pas les lignes téléphoniques.

17 14:52 helmi_kask *
Three helicopters over the harbour now and the smoke has turned from grey to yellow brown. Smells like burnt
toast, of all things.

17 14:58 eskerstation3 *
Our whole crew is at Merrow Quay. We are pulling people out of the loading office next to the silo. Please do
not come to watch, you are blocking the hoses.

17 15:05 FournilKeller ~
La boulangerie rue Haute reste ouverte toute la nuit. Pain, soupe et café gratuits pour les secouristes et
les familles. Sonnez si c'est fermé.

17 15:12 PortEskerFire ~
The silo fire at Merrow Quay is not yet under control. Several people are injured and we are searching the
loading office. 60 firefighters are on site.

17 15:20 HopSteMaelle
L'hôpital Sainte-Maëlle a reçu 14 blessés de l'explosion du quai Merrow, dont quatre dans un état grave. Les
visites sont suspendues.

17 15:31 YvonLegarrec
Mon frère travaille au chargement du quai Merrow et ne répond pas. Il s'appelle Denis Legarrec. Si quelqu'un
l'a vu, écrivez-moi.

17 15:46 PrefVerrane =toll3 ~ %
Premier bilan de l'explosion de Port-Esker : 3 morts et 14 blessés. Des personnes sont encore recherchées
dans les bureaux du silo.

17 15:49 EskerCityHall =toll3en ~ %
The prefecture confirms that 3 people have died and 14 are injured in the Port Esker silo explosion. Our
thoughts are with their families.

17 15:55 EskerTribune ~
Three dead and 14 injured in the explosion at the Merrow Quay silo, the prefecture says. Search continues in
the collapsed loading office.

17 16:02 LePhareVerrane ~
Port-Esker : au moins trois morts et quatorze blessés dans l'explosion du silo du quai Merrow. Notre direct
ici.

17 16:10 CoastlineNews
At least 3 dead after silo blast in Port Esker. What we know so far: the explosion happened at 14:07 UTC
while a ship was being loaded.

17 16:18 suzylantern
I complained about the lorry queue at eleven this morning. Half those drivers were still there at two. I feel
sick. #PortEsker

17 16:25 EskerSchools
All Port Esker schools are keeping pupils inside until a parent collects them. Nobody at our schools was
hurt. Schools are closed tomorrow.

17 16:33 prof_ibarnegui
Pour les élèves qui me lisent : restez loin des vitres, aérez après le passage de la fumée, et appelez vos
grands-parents.

17 16:40 tomas_okk
I got out because I had gone to fetch the tea. That is all. I had gone to fetch the tea.

17 16:51 MairieStLunec
Saint-Lunec ouvre son gymnase aux habitants de Port-Esker dont le logement est endommagé. 200 lits, navettes
toutes les demi-heures depuis la place de la Halle.

17 17:04 helmi_kask
To people asking for pictures: no. I know some of the people on that quay.

17 17:12 TruthHarbour77 =rumour1 ~ %
This was NO accident. A friend in the harbour saw two men running from the silo minutes before the blast.
Sabotage. They are hiding it. Share before they delete this! #PortEsker

17 17:19 verite_esker =rumour2 ~ %
Ce n'était PAS un accident. Deux hommes ont été vus en train de courir juste avant l'explosion de Port-Esker.
Sabotage ! Partagez avant que ce soit supprimé

17 17:26 wrenhalloran >rumour1
I live on that corner. The two men running were my neighbours, running TOWARDS it to help. Please take this
down.

17 17:33 dust_and_rust =dust ~
Grain dust hanging in the air burns like gas. One hot bearing is enough. I have seen three silos go like this
and none of them was sabotage. Wait for the investigators.

17 17:38 verite_esker =water ~ %
URGENT nuage toxique d'ammoniac sur Port-Esker, ne buvez plus l'eau du robinet !! les autorités se taisent

17 17:41 lenavarrick
Is the water safe or not? My building is passing around a message about ammonia. Does anybody official know?

17 17:48 HopSteMaelle
Point à 18 h 45, heure locale : 22 blessés pris en charge à Sainte-Maëlle. Nous avons besoin de donneurs de
sang O négatif dès demain matin.

17 18:05 PrefVerrane =toll6 ~ %
Nouveau bilan à Port-Esker : 6 morts, 22 blessés, 8 personnes recherchées. L'incendie du silo est contenu.

17 18:07 EskerCityHall =toll6en ~ %
The number of dead in the Port Esker explosion has risen to 6. 22 people are injured and 8 are still missing.

17 18:12 CoastlineNews ~
Death toll in Port Esker silo explosion rises to six, eight people still missing.

17 18:18 RadioVerrane ~
Le bilan s'alourdit à Port-Esker : six morts, huit disparus. Le feu est contenu mais la structure menace de
s'effondrer.

17 18:27 PortEskerFire ~
The fire at the Merrow Quay silo is contained. The structure is unstable, so our crews enter one at a time.
We continue to search through the night.

17 18:41 EskerPolice =deny1 ~ %
There is no evidence of sabotage at Merrow Quay. The men seen running were residents going to help. Please
stop sharing this rumour, it hurts the people who were there.

17 18:44 PrefVerrane =deny1fr ~ %
Rien n'indique un acte de sabotage à Port-Esker. Les deux hommes vus en train de courir allaient porter
secours. Ne relayez pas de rumeurs.

17 18:56 EskerCityHall =deny2 ~ %
Tap water in Port Esker is safe to drink. There was no ammonia on site. Messages saying otherwise are false.

17 19:03 LePhareVerrane ~
VÉRIFICATION. Non, il n'y a pas de nuage d'ammoniac à Port-Esker et l'eau du robinet est potable. D'où vient
cette fausse alerte.

17 19:10 dust_and_rust >deny1
Thank you for saying it plainly. The ammonia story is nonsense as well, nobody keeps ammonia in a grain
silo.

17 19:22 suzylantern
Our street group has made a list of spare rooms: 31 beds so far, two with a cot, one with a piano. Message
me. #PortEsker

17 19:34 jonah_at_sea
We brought nine people across from the breakwater side. The lifeboat crew from Saint-Lunec did the rest.
Proud of this coast tonight.

17 19:48 EskerTribune ~
The Merrow silo had been inspected in November, documents seen by the Tribune show. Inspectors asked for the
dust extraction to be repaired by spring.

17 20:05 cafedelajetee
On a rouvert la cuisine. Les pompiers mangent par équipes de dix, personne ne paie, personne ne parle
beaucoup.

17 20:15 delete water

17 20:31 PortEskerFire =alive ~
Good news from Merrow Quay: we have brought out two workers alive from under the loading office. Both are
conscious and on their way to hospital.

17 20:36 RadioVerrane ~
Deux ouvriers ont été retrouvés vivants sous les bureaux du silo, six heures après l'explosion de
Port-Esker.

17 20:44 nurse_adaf
They just came in, the two from under the office. One of them asked me whether he still had to finish his
shift.

17 20:58 YvonLegarrec ~
Denis est vivant. C'est un des deux. Merci à tous, merci aux pompiers, je n'ai plus de mots.

17 21:20 TruthHarbour77
Funny how fast they "found no evidence". Ask yourselves who owns that silo.

17 21:41 eskerstation3
Changing crews. Hands like sandpaper. There are still people in there and we are not stopping.

17 22:10 suspend TruthHarbour77

17 22:35 PrefVerrane =toll11 ~ %
Bilan de 22 h 30 UTC à Port-Esker : 11 morts, 31 blessés, 4 personnes toujours recherchées.

17 22:38 EskerCityHall =toll11en ~ %
Tonight the prefecture reports 11 dead and 31 injured in the Port Esker silo explosion. 4 people are still
missing. Flags will fly at half mast.

17 22:45 CoastlineNews ~
11 dead, 4 missing: the toll of the Port Esker silo explosion nearly doubles as crews reach the lower
floor.

17 22:52 LePhareVerrane ~
Onze morts et trente et un blessés à Port-Esker, selon la préfecture. Quatre personnes sont encore
recherchées sous les décombres.

17 23:05 helmi_kask
Eleven. This town has one secondary school. Everyone is going to know someone.

17 23:31 EskerTribune =trib14 ~
14 dead in the Port Esker explosion, according to a list seen by the Tribune.

17 23:44 PrefVerrane >trib14
Ce chiffre est faux. Le bilan de la préfecture reste de 11 morts.

17 23:55 delete trib14

17 23:58 EskerTribune ~
CORRECTION: we published a figure of 14 dead from an unverified list and have deleted the post. The official
number is 11. We are sorry.

18 05:50 RadioVerrane
Les recherches ont repris à l'aube au quai Merrow. Le bilan provisoire est de onze morts et trente et un
blessés.

18 06:20 gus_on_pier4
sun is up over pier 4. the silo looks like a broken tooth. it is very quiet

18 06:45 PortEskerFire ~
Crews with dogs are back at Merrow Quay this morning. The fire is out. We are checking the conveyor tunnel,
the last place not yet searched.

18 07:30 HopSteMaelle
Beaucoup de donneurs ce matin à Sainte-Maëlle, merci. Revenez plutôt jeudi, nous aurons encore besoin de
vous.

18 08:05 CoastlineNews
Port Esker wakes to 11 dead and 4 missing. Families wait at the town hall for names.

18 08:40 sami_trevennec *
Rue des Cordiers ce matin : tout le monde balaie du verre, même les enfants. On dirait un bruit de mer.

18 09:20 PrefVerrane =toll9 ~ %
RECTIFICATIF : le bilan de l'explosion de Port-Esker est de 9 morts et non 11. Deux victimes avaient été
comptées deux fois, au silo et à l'hôpital. 2 personnes restent recherchées.

18 09:24 EskerCityHall =toll9en ~ %
CORRECTION from the prefecture: 9 people died in the Port Esker explosion, not 11. Two victims were counted
both at the site and at the hospital. 2 people are still missing.

18 09:33 EskerTribune ~
The death toll in Port Esker is revised down to 9 after two victims were counted twice, the prefecture says.

18 09:41 LePhareVerrane ~
Port-Esker : le bilan ramené à neuf morts, deux victimes avaient été comptées deux fois. Comment une telle
erreur est possible.

18 09:50 CoastlineNews ~
Correction: Port Esker silo explosion killed nine, not eleven, officials say. Two people remain missing.

18 10:02 suzylantern
Two fewer. You would think that would feel like good news and it does and it does not.

18 10:26 lenavarrick
Two families buried someone twice in their heads last night, or not at all. Be gentle with the people doing
the counting.

18 10:48 EskerHarbour
The outer harbour reopens to fishing boats at noon. Ferries to Saint-Lunec remain cancelled today.

18 11:15 MairieStLunec
143 habitants de Port-Esker ont dormi au gymnase de Saint-Lunec. Les navettes continuent toute la journée,
merci aux bénévoles.

18 11:40 PrefVerrane ~
Situation à Port-Esker à 11 h 30 UTC : feu éteint, qualité de l'air normale, eau potable. Le périmètre de
sécurité est réduit à 200 mètres autour du silo.

18 11:52 LePhareVerrane
Le point à midi à Port-Esker : l'incendie est éteint, neuf morts, deux disparus, le périmètre de sécurité est
réduit et l'eau est potable.

18 12:20 PortEskerFire
Both of the missing have been found safe. One had walked home in shock and slept for sixteen hours, the other
was in hospital in Saint-Lunec under a misspelt name.

18 13:05 PrefVerrane =toll10 ~ %
Bilan définitif de l'explosion de Port-Esker : 10 morts et 31 blessés. Plus personne n'est recherché. Un
ouvrier grièvement brûlé est décédé ce matin.

18 13:09 EskerCityHall =toll10en ~ %
Final figures for the Port Esker silo explosion: 10 people died and 31 were injured. Nobody is missing any
more. The search has ended.

18 13:20 EskerTribune ~
Port Esker: search ends with 10 dead and 31 injured, no one still missing. The names will be read at the town
hall this evening.

18 13:31 RadioVerrane ~
Port-Esker : fin des recherches. Dix morts, trente et un blessés, plus aucun disparu.

18 14:07 EskerCityHall
A minute of silence at Merrow Quay, twenty-four hours after the explosion.

18 14:09 tomas_okk
Stood at pier 2 again at seven past. Nobody said anything, then the boats started sounding their horns, one
after another.

18 14:12 FournilKeller
Une minute de silence rue Haute. Puis quelqu'un a demandé une baguette, et tout le monde a pleuré.

18 15:30 EskerPolice =cause ~ %
Investigators say the Port Esker explosion was most likely caused by grain dust ignited by an overheated
conveyor bearing. There is still no sign of sabotage.

18 15:36 LePhareVerrane ~
L'explosion de Port-Esker serait due à de la poussière de grain enflammée par un roulement surchauffé. Aucun
signe de sabotage, répètent les enquêteurs.

18 15:44 dust_and_rust +cause
A bearing. It is nearly always a bearing. Extraction fans and a temperature probe cost less than one window
on Candle Street.

18 16:20 EskerSchools
Schools in Port Esker reopen tomorrow with counsellors in every building. Pupils may stay at home if they
need to.

18 16:55 EskerHarbour
Ferries between Port Esker and Saint-Lunec will run again from tomorrow 07:00. Merrow Quay stays closed.

18 17:30 prof_ibarnegui
Demain, pas de contrôle. On lira, on parlera, on regardera la mer.

18 18:15 EskerTribune ~
The owner of the Merrow silo says the repair of the dust extraction was planned for April. "We were three
weeks late," its director told the Tribune.

18 19:10 suzylantern
Ten names read out on the steps of the town hall. The baker's boy read the last one. Good night, Port Esker.
"""
