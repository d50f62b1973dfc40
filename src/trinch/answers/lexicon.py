"""The few words whose meaning an answer depends on, in English, French, Spanish, German, Italian, Portuguese.

Owns word lists and nothing else: stopwords, question words, concepts that events are told with (so that a
French question meets English posts), and small number words. All words are folded (`posts.text.fold`): lower
case, no accents. The lists are the project's own and deliberately short; a word that is missing costs recall,
never a false statement, because answers are quotes.
"""


def words(text: str) -> frozenset[str]:
    """The words of a list written as running text."""
    return frozenset(text.split())


STOPWORDS: dict[str, frozenset[str]] = {
    lang: words(text)
    for lang, text in {
        "en": "a about all also an and any are as at be been being but by can could did do does doing done for "
        "from get gets got had has have having during ever since until new he her here hers him his how i if in into is it its just many me more "
        "most much my near no not now of off on or our out over own she so some such tell than that the their "
        "them then there these they this those to too under up us very was we were what when where which while "
        "who whom whose why will with would you your please know say says said show give whats whos hows thats "
        "one happen happened happening happens going occur occurred true really",
        "fr": "a au aux avec c ce ces cette cet ca cela d dans de des donc dont du elle en encore est et etait etaient "
        "ete etre eu fait faire il ils j je l la le les leur leurs lui m ma mais me meme mes moi mon n ne nos notre "
        "nous on ont ou par pas plus pour qu que quel quelle quelles quels qui quoi quand s sa sans se sera ses si son "
        "sont sur t ta te tes toi ton tous tout toute toutes tu un une vos votre vous y avait peu dire passe combien "
        "comment pourquoi lors apres avant chez est-ce vrai",
        "es": "a al algo como con cual cuales cuando cuanta cuantas cuanto cuantos de del desde donde dos el ella ellas "
        "ellos en entre era es esa ese eso esta estaba estan estas este esto estos fue fueron ha haber habia han hasta "
        "hay hubo la las le les lo los mas me mi mis muy no nos o para pero por porque que quien quienes se ser si sin "
        "sobre son su sus tambien te tiene tienen todo todos tras tu un una uno unos y ya yo paso pasado pasando",
        "de": "aber alle als also am an auch auf aus bei bin bis bist da dann das dass dem den der des die dies diese "
        "dieser dieses doch du durch ein eine einem einen einer eines er es fur gab gibt hat hatte hatten hier ich "
        "ihm ihn ihr ihre im in ins ist ja kann mehr mein mit nach nicht noch nur oder ob sehr sein seine sich sie "
        "sind so uber um und uns unter vom von vor war waren warum was wegen weil welche welcher welches wenn wer wem "
        "wen werden wie viele viel wieviele wieviel wir wird wo wurde wurden zu zum zur passiert geschehen los",
        "it": "a ad agli ai al alla alle allo anche c che chi ci come con cosa cui da dagli dai dal dalla dalle dei del "
        "della delle dello di dove e ed era erano fatto gli ha hanno i il in io l la le lei li lo loro lui ma me mi mio "
        "ne negli nei nel nella nelle nello noi non nostro o per perche piu qual quale quali quando quanta quante "
        "quanti quanto quello questa queste questi questo se sei si sia sono sta stanno stato su sua sue sugli sui sul "
        "sulla sulle suo suoi tra tu tutti tutto un una uno vi voi successo succede succedendo",
        "pt": "a ao aos as ate com como da das de dela dele depois do dos e ela elas ele eles em entre era essa esse esta "
        "estao estas estava este estou eu foi foram ha isso isto ja la lhe mais mas me mesmo meu minha muito na nas nao "
        "no nos nosso num numa o onde os ou para pela pelas pelo pelos por porque qual quais quando quanta quantas "
        "quanto quantos que quem se sem ser seu seus sobre sua suas tambem te tem tinha tu um uma umas uns voce "
        "aconteceu acontece acontecendo houve",
    }.items()
}

OVERVIEW = words(
    "news latest update updates situation event events summary overview status develop developments "
    "information info nouvelles derniere dernieres dernier derniers actualite actualites bilan infos "
    "noticias situacion ultimas ultima ultimo ultimos novedades resumen lage nachrichten neues aktuelle "
    "aktuell stand notizie situazione ultime aggiornamenti noticia novidades situacao"
)
"""Words that ask for the state of things; nothing that a post must hold."""

NEWEST = words(
    "latest situation now current currently status update updates derniere dernieres situacion ultima "
    "ultimas lage aktuell aktuelle situazione ultime situacao maintenant actuellement ahora jetzt adesso "
    "agora still happening todays"
)
"""Words that ask for the newest state above all."""

COUNT_CUES = (
    "how many",
    "how much",
    "number of",
    "count of",
    "combien",
    "nombre de",
    "cuantos",
    "cuantas",
    "cuanto",
    "cuanta",
    "numero de",
    "wie viele",
    "wieviele",
    "wie viel",
    "anzahl",
    "quanti",
    "quante",
    "quanto",
    "numero di",
    "quantos",
    "quantas",
)
KIND_CUES: dict[str, tuple[str, ...]] = {
    "who": ("who", "whom", "whose", "qui", "quien", "quienes", "wer", "wen", "wem", "chi", "quem"),
    "where": ("where", "donde", "wo", "dove", "onde"),
    "when": ("when", "quand", "cuando", "wann", "quando"),
}

PEOPLE = words(
    "people person persons human humans victim victims personnes personne gens victime victimes personas "
    "persona gente victimas menschen personen leute opfer persone vittime pessoas vitimas number numbers "
    "count"
)

MEASURES: dict[str, frozenset[str]] = {
    kind: words(text)
    for kind, text in {
        "dead": "dead die died dies dying death deaths deadly kill killed killing kills killings toll fatality fatalities casualty casualties "
        "body bodies perished mort morts morte mortes mourir mourru deces decede decedes decedees tue tues tuees tuant bilan muerto muertos muerta muertas "
        "murieron mueren murio morir fallecido fallecidos fallecidas fallecieron tot tote toten todesopfer getotet "
        "starben gestorben umgekommen morti morto uccisi uccise uccidendo decedute deceduti mortos mortas morreram morrem mataron "
        "mata matou patay nasawi",
        "injured": "injured injures injuring injuries injury wounded wounding wounds hurt hospitalized hospitalised blesse blesses "
        "blessees blessant herido heridos heridas lesionados lesionadas verletzt verletzte verletzten ferito feriti ferite feridos "
        "feridas sugatan",
        "missing": "missing unaccounted disparu disparus disparues desaparecido desaparecidos desaparecidas "
        "vermisst vermisste vermissten disperso dispersi dispersos nawawala",
        "rescued": "rescued rescue rescues survivors survivor saved alive rescapes secourus survivants rescatados rescatan "
        "sobrevivientes supervivientes gerettet uberlebende salvati superstiti sopravvissuti resgatados sobreviventes",
        "displaced": "displaced homeless evacuated evacuees evacuate evacuations evacues deplaces desplazados evacuados damnificados "
        "evakuiert obdachlos evacuati sfollati desabrigados desalojados",
        "arrested": "arrested arrests arrest detained charged arretes arretees interpelles detenidos arrestados "
        "detenido festgenommen verhaftet arrestati arrestate fermati presos detidos",
    }.items()
}
"""What people are counted as. Each is its own quantity: the dead are never mixed with the hurt or missing."""

TALLIES = words(
    "dead deaths death toll casualties casualty fatalities injured wounded injuries missing morts mort "
    "blesses disparus bilan muertos fallecidos heridos desaparecidos tote todesopfer verletzte vermisste "
    "morti vittime feriti dispersi mortos feridos"
)
"""Measure words that ask for a count by themselves ("Nepal earthquake dead")."""

TAKES_NEXT = words(
    "kill kills killing killed killings toll tolls injures injuring injured injuries death deaths dead "
    "claims claimed leaves leaving left body bodies wounds wounding tue tuant tues mata matan mataron "
    "matou uccide uccidendo bilan morts muertos arrest arrests rescues evacuates fatalities casualties "
    "missing heridos blesses morti mortos tote todesopfer"
)
"""Measure words that may stand before their number ("toll hits 912"); the rest follow it."""

CONCEPTS: tuple[frozenset[str], ...] = tuple(
    words(text)
    for text in (
        "earthquake earthquakes quake quakes seisme seismes terremoto terremotos sismo sismos temblor erdbeben tremblement tremor",
        "flood floods flooding flooded inondation inondations inundacion inundaciones hochwasser uberschwemmung alluvione alluvioni "
        "inundacao inundacoes enchente enchentes",
        "fire fires blaze incendie incendies incendio incendios brand feuer wildfire wildfires fuego waldbrand waldbrande",
        "explosion explosions blast blasts exploded explodes explosiones explosione explosioni explosao explosoes explode exploto",
        "bomb bombs bombing bombings attack attacks attentat attentats attaque attaques atentado atentados ataque ataques anschlag "
        "attentato attentati attacco bomba bombas bombe bombes explosion explosions blast blasts",
        "tornado tornadoes tornados tornade tornades twister",
        "storm storms hurricane typhoon cyclone tempete ouragan cyclones typhons typhon tormenta huracan tifon ciclon sturm orkan taifun "
        "tempesta uragano tifone ciclone tempestade furacao tufao",
        "crash crashed crashes accident accidents accidente accidentes ecrasement absturz unfall ungluck incidente schianto acidente "
        "derailment derailed derailment deraillement descarrilamiento deragliamento",
        "plane aircraft airplane jet flight avion avions vol avion flugzeug aereo aviao",
        "collapse collapsed collapses effondrement effondre effondree derrumbe colapso derrumbo einsturz eingesturzt crollo crollato "
        "desabamento desabou",
        "building buildings immeuble immeubles batiment batiments edificio edificios gebaude palazzo predio predios",
        "factory factories usine usines fabrica fabricas fabrik fabbrica",
        "shooting shootings shot gunman gunmen shooter fusillade fusillades tireur tiroteo balacera schiesserei schusse sparatoria tiroteio",
        "hostage hostages otage otages rehen rehenes geisel geiseln ostaggio ostaggi refem refens siege",
        "police cops officer officers policier policiers policia policias polizei polizia",
        "refinery raffinerie refineria raffineria refinaria",
        "landslide landslides mudslide mudslides glissement glissements deslizamiento deslizamientos deslave erdrutsch deslizamento",
        "nightclub discotheque discoteca discotecas boate nachtclub boite",
        "train trains tren trenes zug treno treni trem trens",
        "helicopter helicopters helicoptere helicopteres helicoptero helicopteros hubschrauber elicottero elicotteri",
        "school schools ecole ecoles escuela escuelas schule scuola scuole escola escolas",
        "virus outbreak epidemic epidemie epidemia epidemics",
        "election elections eleccion elecciones wahl wahlen elezione elezioni eleicao eleicoes vote",
        "won win wins winner winners gagne gagner gagnant remporte gano ganador gewonnen sieger gewann vinto vincitore venceu ganhou vencedor",
        "suspect suspects suspecto sospechoso sospechosos verdachtiger sospettato sospettati suspeito suspeitos",
        "protest protests protester protesters demonstration manifestation manifestations manifestants protesta protestas proteste "
        "manifestazione protestos",
        "volcano eruption erupts erupted volcan vulkan ausbruch eruzione vulcano vulcao erupcion eruption",
    )
)
"""Words that name the same kind of event across languages; a question's word is met by any of its row."""

NUMBER_WORDS: dict[str, int] = {
    word: value
    for value, text in {
        1: "un una une ein eine uno um uma",
        2: "two deux dos zwei due dois duas dalawa",
        3: "three trois tres drei tre tatlo",
        4: "four quatre cuatro vier quattro quatro",
        5: "five cinq cinco funf cinque",
        6: "six seis sechs sei",
        7: "seven sept siete sieben sette sete",
        8: "eight huit ocho acht otto oito",
        9: "nine neuf nueve neun nove",
        10: "ten dix diez zehn dieci dez",
        11: "eleven onze once elf undici",
        12: "twelve douze doce zwolf dodici doze",
    }.items()
    if value > 1
    for word in text.split()
}

AT_LEAST = words(
    "over than tops topped top passes passed pass surpasses surpassed exceeds exceed exceeded above past "
    "least beyond plus mas mehr supera superan depasse uber oltre piu mais minimum moins menos mindestens "
    "crosses crossed"
)
NEARLY = words(
    "nearly nears near almost close approaches approaching approached towards toward around about some "
    "roughly estimated as presque pres quelque environ casi cerca unos fast knapp etwa rund quasi circa "
    "quase hundreds"
)
FEARED = words(
    "fear fears feared fearing may could might possibly potentially expected expect likely craindre "
    "craint redoute temen teme podria podrian befurchtet konnte konnten temono potrebbe potrebbero temem "
    "pode podem"
)
"""Hedges of a number: it is a floor, it is round, or it is a guess."""

FILLERS = words(
    "at to the of now is has have had been are was were in by hits hit hitting rises rise rising rose "
    "risen reaches reached reach climbs climbed climb stands stood jumps jumped grows grew soars soared "
    "goes gone went up as many confirmed currently people persons so far already a another estimated "
    "believed officially est de la les des passe s eleve monte sube asciende aumenta llega e sale ya van "
    "al menos lives life others approximately approx per count hay deja que deixa"
)
"""Words that may stand between a number and the word that says what it counts."""

AWAY = words("from flee flees fled in near threatens threatening leave left forced de desde aus von dalle")
"""Between a number and a thing these say that the thing is not what was counted ("32,000 flee homes")."""

MOVES = words(
    "hits hit rises rise rising rose reaches reached climbs climbed climbing stands stood jumps jumped "
    "grows grew soars soared tops topped passes passed surpasses surpassed exceeds exceeded crosses nears "
    "approaches now is was raised lowered revised s'eleve eleve atteint passe sube asciende aumenta llega supera "
    "alcanza sale chega steigt uber a to at above over past"
)
"""Verbs by which a count moves to a number."""

MORE = words("more additional other others another further mas otros autres weitere altri outros")
"""After a number these make it an increment ("50 more bodies"), not a state."""

DENIAL_WORDS = words(
    "false falsely fake fakes hoax hoaxes debunk debunks debunked deny denies denied denial refute refutes refuted "
    "untrue misinformation disinformation incorrect inaccurate erroneous unfounded baseless bogus photoshopped "
    "retract retracts retracted dement dementent dementi dementi faux fausse fausses infonde infondee infondees intox "
    "canular falso falsa falsos falsas desmiente desmienten desmentido desmintio bulo bulos niega niegan falsch "
    "falsche falschmeldung dementiert dementieren bestreitet smentisce smentiscono smentito smentita bufala bufale "
    "desmente desmentem desmentiu boato boatos"
)
"""Words that say that something is not so."""

DENIAL = (
    r"\b(?:" + "|".join(sorted(DENIAL_WORDS)) + r")\b(?! (?:flag|alarm))|\b(?:"
    r"(?:no|without|any|zero) (?:evidence|proof|sign|signs|indication|indications|truth|basis)|"
    r"(?:is|are|was|were|it's|that's|thats|its) not (?:true|real|accurate|correct|the case)|not true|"
    r"(?:isn't|isnt|aren't|wasn't|weren't) (?:true|real|accurate|correct)|(?:never|did not|didn't) happen(?:ed)?|"
    r"contrary to (?:reports|rumou?rs)|(?:stop|don't|do not|please not) (?:sharing|spreading|share|spread)|"
    r"(?:rumou?rs?|reports?|claims?) (?:is|are|was|were) (?:wrong|not)|"
    r"rien n'(?:indique|atteste|etaye)|auc(?:un|une) (?:signe|preuve|element|indice|trace)|pas de preuves?|"
    r"(?:n'est|ce n'est|n'etait) pas (?:vrai|exact)|ne (?:relayez|partagez|diffusez) pas|"
    r"(?:no hay|sin|ninguna) (?:pruebas?|evidencias?|indicios?)|no es (?:cierto|verdad)|"
    r"keine?n? (?:hinweise?|beweise?|belege?|anzeichen)|stimmt nicht|nicht wahr|"
    r"nessun[ao]? (?:prov[ae]|indizio|segno)|non (?:e vero|ci sono prove)|"
    r"nenhum[a]? (?:prova|indicio|evidencia|sinal)|nao (?:e verdade|ha provas|ha indicios|ha evidencias)"
    r")\b"
)
"""What says, in a folded text, that something is not so. "Rumour" alone does not: it is how rumours are told too."""

HEARSAY = words("rumor rumors rumour rumours unconfirmed allegedly rumeur rumeurs rumores")
PERSONAL = words(
    "i im my me mine myself ive ill we our omg lol lmao wtf pray praying prayers prayer thoughts rip "
    "condolences hope wish god bless stay safe heart hearts sad sadly love thank thanks follow retweet je "
    "mon ma mes moi prions priez coeur triste yo mi mis oremos oracion ich mein mir meine io mio mia "
    "preghiamo eu meu minha lmfao haha hahaha fuck fucking shit damn ass dude bro guys dear please y'all "
    "yall ur u crazy insane awful horrible terrible heartbreaking heartbroken speechless devastated "
    "crying tears omfg smh"
)
"""Signs that a sentence speaks of its writer's feelings rather than of what happened."""

POINTERS = words(
    "watch video videos photo photos picture pictures pics image images gallery footage selfie click read "
    "listen livestream stream live blog check look see help donate donation donations donating ways "
    "support join petition shocking must list reasons subscribe giveaway films filmed eyewitness ugc raw "
    "nsfl nsfw viral shirt shirts game games comic meme funny joke app podcast episode review preview "
    "recap thread ama tribute poem song lyrics interview opinion column photoset album scam regardez voir "
    "lire aidez dons mira fotos ver ayuda dona donar guarda foto aiuto ajuda veja assista bilder spenden"
)
"""Signs that a sentence points at something else (a picture, an appeal, a joke) instead of telling it."""

REPORTING = words(
    "confirmed confirms confirm according officials official police authorities ministry minister mayor "
    "governor sheriff spokesman spokeswoman spokesperson military army rescuers examiner reported reports "
    "reportedly announced announces says said declares declared statement breaking update updated toll "
    "killed kills dead died injured wounded missing arrested charged rescued evacuated destroyed damaged "
    "hit hits struck strikes collapsed exploded crashed magnitude morts mort blesses blessees disparus "
    "bilan tues muertos heridos desaparecidos fallecidos morti feriti dispersi mortos feridos tote "
    "verletzte vermisste selon autorites ministere confirme confirment annonce policia autoridades segun "
    "confirma confirman confirmaron gobierno polizei behorden laut bestatigt secondo autorita conferma "
    "confermato segundo governo"
)
"""Signs that a sentence reports: who says so, what happened, to how many."""

OPINION = words(
    "ok okay you your youre if should shouldnt why because think thinking believe guess imagine maybe "
    "feel feels feeling glad happy sick hell hate stupid idiot idiots racist funny joke jokes poor kids "
    "let lets dont cant cannot wont didnt never always everyone everybody nobody tu vous si pourquoi "
    "pense crois usted porque creo pienso du sie warum glaube denke perche credo penso voce acho"
)
"""Signs that a sentence argues or addresses somebody."""

PHRASES = {
    "tremblement de terre": "seisme",
    "tremblements de terre": "seismes",
    "glissement de terrain": "glissement",
    "glissements de terrain": "glissements",
    "prise d'otages": "otages",
    "prise d otages": "otages",
    "deslizamiento de tierra": "deslizamiento",
    "victimes mortelles": "morts",
    "victimas mortales": "muertos",
    "lost their lives": "died",
    "passed away": "died",
}
"""Set phrases of questions and the one word that stands for each."""

PLACES: tuple[frozenset[str], ...] = tuple(
    words(text)
    for text in (
        "brazil brasil bresil brasilien brasile",
        "germany allemagne alemania deutschland germania alemanha",
        "france frankreich francia franca",
        "spain espagne espana spanien spagna espanha",
        "italy italie italia italien",
        "england angleterre inglaterra inghilterra",
        "greece grece grecia griechenland",
        "turkey turquie turquia turkei turchia",
        "russia russie rusia russland",
        "ukraine ucrania ucraina",
        "china chine cina",
        "japan japon giappone japao",
        "india inde indien",
        "chile chili cile",
        "peru perou",
        "mexico mexique messico mexiko",
        "philippines filipinas philippinen filippine pinas",
        "egypt egypte egipto agypten egitto egito",
        "syria syrie siria syrien",
        "iraq irak",
        "pakistan paquistan",
        "bangladesh bangladesch",
        "thailand thailande tailandia",
        "switzerland suisse suiza schweiz svizzera suica",
        "belgium belgique belgica belgien belgio",
        "netherlands pays-bas holanda niederlande olanda holland",
        "sweden suede suecia schweden svezia",
        "norway norvege noruega norwegen norvegia",
        "poland pologne polonia polen",
        "canada kanada",
        "australia australie australien",
        "morocco maroc marruecos marokko marocco marrocos",
        "algeria algerie argelia algerien",
        "tunisia tunisie tunez tunesien",
        "nigeria nigerien",
        "london londres londra",
        "moscow moscou moscu moskau mosca moscovo",
        "athens athenes atenas athen atene",
        "rome roma rom",
        "milan milano mailand",
        "naples napoli neapel napoles",
        "venice venise venezia venecia venedig",
        "genoa genova genes genua",
        "brussels bruxelles bruselas brussel",
        "cologne koln colonia",
        "munich munchen",
        "vienna vienne wien viena",
        "warsaw varsovie varsovia warschau varsavia",
        "beijing pekin peking pechino pequim",
    )
)
"""The same place in several languages."""
