"""Word lists and clause templates of the background chatter, in five languages.

Plain data: for each language a dictionary of word lists (one string, items apart by `|`) and a list of
clauses with `{slots}`. A slot names a list, or one of the open kinds `text_generator.py` makes up as it goes:
`name`, `place`, `n` (a small number), `goals`, `clock`, `price`.
All of it is invented for this project; names of places, teams, bands and shows exist nowhere.
"""


def words(joined: str) -> list[str]:
    """The items of a string of them, apart by `|`."""
    return joined.split("|")


WORDS: dict[str, dict[str, str]] = {
    "en": {
        "food": "coffee|tea|soup|pizza|toast|noodles|pancakes|lasagne|curry|porridge|dumplings|leek pie|"
        "apple crumble|lentil stew|fish pie|cheese on toast|lemon tart|tomato soup|garlic bread|"
        "roast potatoes|mushroom risotto|sourdough|pickled onions|ginger biscuits|plum jam|"
        "barley salad|hot chocolate",
        "thing": "bike|laptop|phone|kettle|umbrella|jacket|sofa|printer|notebook|suitcase|headphones|"
        "guitar|camera|fridge|oven|keyboard|backpack|lamp|washing machine|sewing machine|"
        "telescope|tent|kayak|alarm clock|front door|window box|heating|router|charger|"
        "record player|wardrobe|ladder",
        "animal": "cat|dog|neighbour's cat|rabbit|hedgehog|seagull|fox|crow|hen|goat|pony|tortoise|parrot|"
        "robin|heron|otter|owl|hamster|spider|duck|lamb",
        "adj": "good|great|weird|lovely|tiny|huge|quiet|broken|perfect|terrible|brilliant|strange|"
        "boring|cosy|expensive|ridiculous|underrated|messy|gorgeous|honest|brave|awkward|overdue|"
        "unexpected|glorious|suspicious|delicate|chaotic|spotless|half-finished|second-hand|"
        "homemade|peculiar|magnificent",
        "feel": "tired|happy|nervous|proud|lost|hungry|bored|grateful|annoyed|relieved|confused|excited|"
        "homesick|hopeful|restless|calm|overwhelmed|guilty|smug|sleepy|inspired|speechless",
        "who": "my sister|my dad|my boss|the neighbours|my flatmate|mum|my brother|our teacher|the kids|"
        "grandma|my best friend|the landlord|my cousin|the postman|a colleague|the whole office|"
        "nobody|everyone|the guy next door|my old coach|the dentist|the choir",
        "doing": "learning the accordion|painting the fence|fixing the roof|baking bread|"
        "reading in the bath|growing tomatoes|repairing old radios|running before work|"
        "knitting socks|writing letters|planning the holiday|sorting old photos|"
        "watching the rain|building a shed|learning to swim|cleaning the attic|playing chess|"
        "cycling to work|moving house|translating poems|keeping bees|collecting stamps|"
        "restoring a boat|mending jumpers|birdwatching|making marmalade",
        "subject": "the weather|the new timetable|this election|the bin collection|remote work|house prices|"
        "the school run|the parking situation|the library closing|the bus fare|the new bridge|"
        "exam season|the budget|the roadworks|the water bill|phone batteries|the noise|"
        "the census|local elections|the cycle lanes|the hospital waiting list|the market square|"
        "the tide tables|broadband",
        "when": "today|tonight|this morning|this week|yesterday|last night|again|on Sunday|after work|"
        "at last|this weekend|before breakfast|on Monday|next month|at lunch|in the end|"
        "all afternoon|since Tuesday",
        "team": "Ostrey Rovers|Calder Vale|Merrin Athletic|Tallow United|Harrowby Town|Pellam Wanderers|"
        "Dunmere City|Ashby Quay|Saltmere FC|Brackwater|Fenwick Park|Old Lantern|Corran Harriers|"
        "Wex Albion",
        "band": "The Paper Otters|Slow Lanterns|Margery and the Tides|Velvet Kettle|Northern Semaphore|"
        "The Quiet Ferries|Blue Marrow|Hollow Choir|Tin Orchard|Lady Gravel|The Last Tram|"
        "Glass Heron",
        "show": "The Lamp Room|Harbour Street|Nine Winters|Baking the Impossible|Cold Tide|"
        "The Understudy|Signal Lost|Marlowe's Garden|The Ninth Passenger|Quiz Night Live|"
        "Small Hours|The Cartographer",
        "game": "Lanternfall|Hollow Keep II|Starfreight|Mudlark|Kingdom of Moss|Rail Baron 4|Tidebound|"
        "Foxhole Farm",
        "verb": "love|miss|hate|need|want|remember|recommend|trust|forgot|lost|bought|found|finished|"
        "started|deleted|borrowed|repaired|sold|cancelled|ordered",
        "topic": "monday|coffee|books|gardening|photography|football|nowplaying|writing|startup|python|"
        "gaming|art|music|travel|recipe|dogs|caturday|running|history|science|film|nature|"
        "cycling|baking|jobs|deals",
        "emoji": "😂|😭|🙏|❤️|😅|🔥|👀|🎉|☕|🌧️|😍|🤔|🙄|🥲|👏|🌻|🐈|⚽|🎶|📷|✨|💪|🚲|🍞",
        "opener": "honestly|ok so|update:|hot take:|well|just saying|unpopular opinion:|reminder:|no but|"
        "question:|finally,|psa:|today I learned that|can confirm:|not gonna lie,",
    },
    "fr": {
        "food": "un café|une tarte aux pommes|une soupe|des crêpes|un gratin|une quiche|du pain frais|"
        "une ratatouille|des lentilles|un thé à la menthe|une omelette|des madeleines|"
        "une salade de riz|un chocolat chaud|une tarte au citron|un pot-au-feu|des nouilles|"
        "une raclette",
        "thing": "mon vélo|mon téléphone|ma valise|la bouilloire|mon parapluie|la machine à laver|"
        "mon manteau|la voiture|mon ordinateur|le frigo|ma guitare|le grille-pain|mon sac|"
        "l'imprimante|la chaudière|mes clés",
        "animal": "le chat|le chien|la tortue|un hérisson|une mouette|le lapin|la poule|le corbeau|"
        "un renard|le canari",
        "adj": "bizarre|génial|superbe|nul|magnifique|étrange|parfait|ridicule|interminable|inattendu|"
        "tranquille|incroyable|compliqué|drôle|rare|épuisant|délicieux|sous-estimé",
        "feel": "fatigué|content|perdu|énervé|ému|soulagé|motivé|inquiet|débordé|tranquille|triste|fier",
        "who": "ma sœur|mon père|la voisine|mon chef|les enfants|ma coloc|mamie|mon cousin|"
        "tout le monde|personne|le facteur|mon prof|ma meilleure amie|le propriétaire|"
        "un collègue|la boulangère",
        "doing": "apprendre l'accordéon|repeindre la cuisine|réparer le toit|lire au soleil|"
        "planter des tomates|trier de vieilles photos|courir avant le travail|regarder la pluie|"
        "préparer les vacances|ranger le grenier|écrire des lettres|jouer aux échecs|"
        "faire du pain|tricoter une écharpe",
        "subject": "la météo|les horaires de train|le prix des loyers|les travaux|la rentrée|le télétravail|"
        "les élections locales|le budget|les pistes cyclables|la fermeture du cinéma|"
        "la facture d'eau|le bruit|le nouveau pont|les files d'attente|la réforme|"
        "le marché du samedi",
        "when": "aujourd'hui|ce matin|ce soir|hier|cette semaine|encore|dimanche|enfin|demain|cette nuit|"
        "ce week-end|à midi|depuis mardi|après le boulot",
        "team": "l'AS Corvenne|le Stade de Merrin|l'Étoile de Brazac|l'US Tallemont|"
        "le Racing de Vauclair|l'Entente d'Orzay|le FC Lambrac",
        "band": "Les Lampadaires|Petit Orage|Les Trains de Nuit|Velours Marin|La Dernière Marée|Bruine",
        "show": "La Maison du Quai|Neuf Hivers|Marée froide|Le Neuvième Passager|Cuisine impossible|"
        "Minuit Pile",
        "verb": "adore|ai perdu|ai retrouvé|ai oublié|ai cassé|ai réparé|attends|ai encore cherché",
        "topic": "lundi|lecture|cuisine|foot|musique|photo|jardin|voyage|cinéma|chat|vélo|histoire|emploi|"
        "météo",
        "emoji": "😂|😭|🙏|❤️|😅|🔥|👀|🎉|☕|🌧️|😍|🤔|🙄|🥐|👏|🌻",
        "opener": "franchement|bon|alors|petit rappel :|question :|bref,|sérieusement,|dites,|enfin,|"
        "du coup|non mais",
    },
    "es": {
        "food": "un café|una tortilla|unas croquetas|pan con tomate|una sopa|arroz con leche|"
        "unas lentejas|un zumo",
        "thing": "la bici|el móvil|el paraguas|la maleta|el ordenador|la nevera|las llaves|la guitarra",
        "who": "mi hermana|mi padre|la vecina|mi jefe|los niños|mi abuela|todo el mundo|nadie|el cartero",
        "adj": "raro|genial|precioso|terrible|increíble|aburrido|perfecto|eterno|tranquilo",
        "subject": "el tiempo|los trenes|los alquileres|las obras|las elecciones|el tráfico|el ruido|"
        "el nuevo puente",
        "when": "hoy|esta mañana|esta noche|ayer|otra vez|el domingo|por fin|esta semana",
        "topic": "lunes|música|fútbol|libros|cocina|viajes|cine|gatos",
        "emoji": "😂|😭|🙏|❤️|😅|🔥|👀|🎉",
    },
    "de": {
        "food": "Kaffee|Apfelkuchen|Suppe|Kartoffelsalat|frisches Brot|Nudeln|Linseneintopf|Pfannkuchen",
        "thing": "das Fahrrad|mein Handy|der Regenschirm|der Koffer|die Heizung|der Drucker|die Gitarre|"
        "der Kühlschrank",
        "who": "meine Schwester|mein Vater|die Nachbarin|mein Chef|die Kinder|Oma|niemand|der Briefträger",
        "adj": "seltsam|großartig|schrecklich|wunderbar|langweilig|gemütlich|perfekt|unerwartet",
        "subject": "das Wetter|die Bahn|die Mieten|die Baustelle|die Wahl|der Lärm|die neue Brücke|"
        "der Fahrplan",
        "when": "heute|heute Morgen|heute Abend|gestern|schon wieder|am Sonntag|endlich|diese Woche",
        "topic": "montag|musik|fussball|bücher|kochen|reisen|garten|katzen",
        "emoji": "😂|😭|🙏|❤️|😅|🔥|👀|🎉",
    },
    "ja": {
        "food": "コーヒー|カレー|ラーメン|おにぎり|味噌汁|パンケーキ|うどん|プリン",
        "thing": "自転車|スマホ|傘|ギター|冷蔵庫|カメラ|財布|目覚まし時計",
        "who": "妹|父|隣の人|先生|子どもたち|祖母|友達|同僚",
        "adj": "すごい|面白い|静かな|不思議な|最高の|退屈な|懐かしい|完璧な",
        "subject": "天気|電車の遅れ|家賃|工事|選挙|新しい橋|時刻表|電気代",
        "when": "今日|今朝|今夜|昨日|また|日曜日|やっと|今週",
        "topic": "月曜日|音楽|サッカー|読書|料理|旅行|庭|猫",
        "emoji": "😂|😭|🙏|❤️|🔥|👀|🎉|☕",
    },
}

CLAUSES: dict[str, list[str]] = {
    "en": [
        "just had the most {adj} {food} at {place}, {n} minutes in the queue and worth every one",
        "{who} keeps talking about {subject} and I have nothing left to say {when}",
        "I {verb} my {adj} {thing} {when} and now {who} will not stop laughing",
        "the {animal} sat on my {thing} for {n} hours {when}",
        "does anyone else feel {feel} about {subject}, or is it only me and {who}?",
        "{doing} with {who} {when}, feeling {feel}",
        "train from {place} delayed {n} minutes {when}, no reason given",
        "{team} {goals}-{goals} {team}, what a {adj} second half",
        "how do {team} lose that one, {who} could have scored from there",
        "new {band} single out {when} and it is {adj}",
        "saw {band} live in {place} {when}, the encore was {adj}",
        "no spoilers please but the last episode of {show} was {adj}",
        "started {show} with {who} {when}, we are already {n} episodes in",
        "{n} hours into {game} and I still have not left {place}",
        "my {thing} stopped working {when}, the repair costs {price} which is more than I paid for it",
        "selling a {adj} {thing}, collection from {place}, {price} or a decent {food}",
        "if you are in {place} {when}, go and see the {adj} little shop run by {name}",
        "{name} says {subject} will be fixed {when}, we will see",
        "I have been {doing} for {n} weeks and I am still {feel}",
        "{who} asked me to explain {subject} at {clock} in the morning",
        "woke up at {clock} because of the {animal}, so {feel} {when}",
        "rain in {place} all day, perfect for {doing}",
        "sunset over {place} {when}, no filter, just {adj}",
        "nobody told me {place} was this {adj} in spring",
        "thread on why {subject} is more {adj} than people think, part {n}",
        "reading {name}'s new book about {subject}, page {n} and already {feel}",
        "lost: {adj} {thing} near {place}, around {clock}, please share",
        "found a {adj} {animal} near {place}, very friendly, no collar",
        "interview with {name} at {clock}, wish me luck, I am so {feel}",
        "we are hiring in {place}, ask for {name}, no need to be {feel}",
        "{price} for {food} in {place}, I am {feel}",
        "{who} made {food} {when} and it tasted like {place} in the summer",
        "the queue at {place} is {n} people long and they only have one till open",
        "trying {doing} because {name} said it helps when you are {feel}",
        "my {thing} and I have been through so much, goodbye old friend",
        "public meeting on {subject} at {clock} in {place}, bring {who}",
        "today's lesson: never trust {who} with your {thing}",
        "I {verb} {name}'s {adj} recipe for {food}, {n} out of 10",
        "walked {n} miles from {place} to {place} {when}, legs are gone, heart is full",
        "{name} just answered my letter about {subject}, I am {feel}",
        "still thinking about the {adj} {animal} I met in {place}",
        "can somebody from {place} tell me why the {thing} shop is closed {when}",
        "the new {name} update broke my {thing}, thanks for nothing",
        "it is {clock} and {who} is {doing} upstairs",
        "on the way to {place}, {n} kids in the back, one {adj} playlist by {band}",
        "happy birthday to {name}, the most {adj} person in {place}",
        "the vet says the {animal} is fine, just {feel} and a bit fat",
        "my code works and I do not know why, {who} is {feel}, ship it",
        "there should be a museum of {adj} {thing} design in {place}",
        "one of these days I will stop {doing} and call {who} back",
        "exam in {n} hours and I am {doing} instead",
        "market report: {name} up {n} percent, {name} flat, everyone {feel}",
        "the {adj} part about {subject} is that {who} saw it coming {when}",
        "{show} rewatch, episode {n}: {name} is still the best character",
        "please stop sending {who} links about {subject}",
        "poll: {food} or {food} {when}?",
        "traffic update for {place}: {n} minutes on the ring road, {thing} in the left lane",
        "lighthouse at {place} open to visitors {when}, {price}, bring a jacket",
        "volunteers needed in {place} {when} for {doing}, contact {name}",
        "my grandmother's word for this weather was {name} and it is {adj}",
    ],
    "fr": [
        "je viens de manger {food} à {place}, c'était {adj}, {n} minutes d'attente quand même",
        "{who} ne parle plus que de {subject} et moi je suis {feel}",
        "j'{verb} {thing} {when}, forcément",
        "{animal} a dormi {n} heures sur {thing} {when}",
        "est-ce que quelqu'un comprend quelque chose à {subject} ou c'est juste moi et {who} ?",
        "{doing} avec {who} {when}, je me sens {feel}",
        "train de {place} en retard de {n} minutes {when}, aucune explication",
        "{team} fait {goals}-{goals} {when}, quel match {adj}",
        "le nouveau titre de {band} est {adj}, écoutez ça {when}",
        "pas de spoilers mais le dernier épisode de {show} était {adj}",
        "on a commencé {show} {when}, déjà {n} épisodes",
        "{price} pour {food} à {place}, je suis {feel}",
        "réveillé à {clock} par {animal}, je suis {feel}",
        "coucher de soleil sur {place} {when}, {adj}",
        "réunion publique sur {subject} à {clock}, salle des fêtes de {place}",
        "{name} m'a répondu au sujet de {subject}, je suis {feel}",
        "perdu {thing} près de {place} vers {clock}, merci de partager",
        "quelqu'un de {place} peut me dire pourquoi la boulangerie est fermée {when} ?",
        "je lis le dernier livre de {name}, page {n}, c'est {adj}",
        "il est {clock} et {who} est en train de {doing}",
        "cela fait {n} semaines que j'essaie de {doing}, c'est {adj}",
        "on recrute à {place}, demandez {name}",
        "le plus {adj} dans cette histoire de {subject}, c'est que {who} l'avait dit",
        "marché de {place} {when} : {food} et beaucoup de soleil",
        "{n} kilomètres à pied de {place} à {place}, je suis {feel}",
        "circulation à {place} : {n} minutes de bouchon, prenez le pont",
        "bon anniversaire à {name}, la personne la plus {adj} de {place}",
        "le chat de {name} a encore volé {food}",
        "merci à {name} qui a réparé {thing} {when}",
        "arrêtez d'envoyer des liens sur {subject} à {who}",
    ],
    "es": [
        "acabo de tomar {food} en {place} y estaba {adj}",
        "{who} no para de hablar de {subject} {when}",
        "el tren de {place} lleva {n} minutos de retraso {when}",
        "he perdido {thing} cerca de {place}, si alguien lo encuentra que avise",
        "son las {clock} y {who} sigue hablando de {subject}",
        "{name} ha escrito algo {adj} sobre {subject}, página {n}",
        "{price} por {food} en {place}, esto es {adj}",
        "qué día más {adj} en {place}",
    ],
    "de": [
        "gerade {food} in {place} gegessen, einfach {adj}",
        "{who} redet nur noch über das Thema: {subject}, {when}",
        "Zug aus {place} {n} Minuten Verspätung {when}, keine Durchsage",
        "{thing} ist {when} kaputtgegangen, Reparatur kostet {price}",
        "es ist {clock} und {who} denkt immer noch an {food}",
        "{name} hat ein Buch geschrieben, Seite {n}, wirklich {adj}",
        "Sonnenuntergang in {place} {when}, {adj}",
        "weiß jemand in {place}, was hier los ist? {subject} ist {adj}",
    ],
    "ja": [
        "{place}で{food}を食べた、{adj}味だった",
        "{when}も{who}と{subject}の話をした",
        "{place}駅の電車が{n}分遅れている",
        "{clock}に起きた、{who}がもう{food}を作っていた",
        "{thing}をなくした、{place}で見た人いますか",
        "{name}の新しい本を読んでいる、{adj}話だ",
        "{when}は{place}まで歩いた、{n}キロ",
    ],
}
