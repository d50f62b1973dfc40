"""The words that bind a rewritten sentence to its quote (`verify.py`), in the languages of `lexicon.py`.

Owns word lists and nothing else, folded (`posts.text.fold`). A word too many here costs a rewrite; one missing may let
an omission through that changes what is said.
"""

from trinch.answers.lexicon import DENIAL_WORDS, HEARSAY, words

LEADS = words(
    "breaking update updated just in live news alert urgent flash watch video photo photos en direct info "
    "derniere minute ultima hora ultimo eilmeldung ultim'ora urgente"
)
"""Words of a lead in front ("JUST IN:") that tells nothing."""

SCOPING = words(
    "not no never none dont cant wont isnt arent wasnt werent didnt doesnt nobody nothing nowhere neither nor without cannot hardly barely scarcely but except only "
    "excluding besides unless until yet although though however despite instead rather or if whether either both "
    "between among ne pas jamais aucun aucune rien sans ni personne mais sauf seul seule seulement sinon ou si nunca nadie nada "
    "sin ningun ninguna pero sino salvo excepto solo nicht kein keine keinen keiner nie niemand nichts ohne weder noch "
    "aber ausser nur sondern oder wenn falls non nessun nessuno nessuna niente mai senza ma tranne nao nenhum nenhuma "
    "ninguem sem nem mas apenas se all every each tous toutes todos todas alle tutti tutte"
)
"""Words whose reach may be the whole quote: with one of them nothing may be left out."""

_GUARDED = words(
    "may might could would should can will shall must ought likely unlikely possibly possible probably probable perhaps "
    "maybe potential potentially apparent apparently seem seems seemed appear appears appeared suspected suspect alleged "
    "allegedly reported reportedly purported purportedly presumed believed thought feared fear fears expected estimated "
    "expect unconfirmed unverified unclear unknown rumour rumours rumor rumors peut pourrait pourraient devrait serait "
    "seraient aurait auraient probable probablement eventuel selon puede podria podrian seria habria quizas talvez "
    "probablemente presunto supuesto kann konnte konnten soll sollen sollte mutmasslich angeblich vermutlich "
    "wahrscheinlich offenbar moglicherweise vielleicht puo potrebbe sarebbe avrebbe forse probabile pode poderia seria "
    "teria talvez suposto provavel "
    "say says said tell tells told claim claims claimed report reports according confirm confirms confirmed announce "
    "announces announced state states stated deny denies denied denial accuse accuses accused warn warns warned ask asks "
    "asked suggest suggests suggested think thinks believe believes hope hopes hoped joke jokes joked tweet tweets "
    "tweeted write writes wrote quote quoted source sources witness witnesses per via insist insists argue argues add "
    "adds added predict predicts predicted promise promises promised threaten threatens vow vows dit disent affirme "
    "annonce annoncent confirme dement assure estime dice dicen segun afirma anuncia confirma asegura sagt sagen laut "
    "sagte zufolge meldet berichtet secondo afferma annuncia conferma diz dizem segundo disse "
    "fake false hoax satire satirical parody fiction fictional film movie novel game games simulation simulated drill "
    "exercise test training scenario hypothetical dream dreams mock pretend imagined staged show episode season series "
    "trailer spoiler april fool script play book intox faux fausse exercice simulacro ubung esercitazione "
    "ago yesterday tomorrow tonight last next anniversary memorial remember remembering remembered year years month "
    "months week weeks day days hour hours minute minutes today tonight then former formerly ex once previously earlier later old "
    "monday tuesday wednesday thursday friday saturday sunday january february march april june july august "
    "september october november december hier demain ans mois semaine jours ancien ayer manana anos meses gestern morgen "
    "jahre jahren ieri domani anni ontem amanha correction corrected retracted rectificatif"
)
_TURNED = words(
    "overturned overturns reversed released freed cancelled canceled postponed suspended recovered found alive safe safely "
    "cleared acquitted withdrawn withdrew corrected survived survives rescued resumed resumes reopened restored lifted "
    "ended over wrong lie lies myth kidding lol lmao haha sarcasm imagine suppose supposed supposedly pardoned returned "
    "revived dropped dismissed rejected refuted lost won wins annule libere retrouve retrouves anulado liberado "
    "encontrado freigesprochen freigelassen aufgehoben gefunden annullato liberato trovato trovati salvo salvi anulada"
)
"""Words by which a later clause takes back an earlier one."""

_WITH_ING = words(
    "pending assuming barring excluding providing provided supposing failing lacking according saying reporting claiming "
    "warning suggesting alleging citing quoting telling adding hoping fearing denying insisting expecting threatening "
    "predicting pretending mocking joking imagining arguing seeming appearing during nothing wondering asking meaning "
    "contradicting reversing undoing cancelling canceling retracting correcting rejecting dismissing "
    "portraying starring acting performing filming rehearsing recreating reenacting simulating dramatizing depicting "
    "playing staging"
)

GUARDED = _GUARDED | _TURNED | _WITH_ING | DENIAL_WORDS | HEARSAY
"""Words without which the rest would say more: who says so, how sure, when, in what world. No clause with one is left
out."""

SUBORDINATE = words(
    "in on at by from with during for under as after before because since so while when where that than then to of over "
    "into up down near around about against like through within via out off despite amid dans a par de des du avec pour "
    "sous apres avant parce depuis pendant quand que lors selon en por con para bajo tras antes porque desde durante "
    "cuando im am bei von mit fur unter nach vor weil seit wahrend als dass zu aus da di per dopo prima perche quando sob "
    "apos antes e and et y und"
)
"""Words that begin a clause which limits the one before it."""

SAYING = words("say says said")
ACCORDING = ("according to ", "selon ", "segun ", "laut ", "secondo ", "segundo ")
"""How a clause begins that names who says so."""

PRONOUNS = words("he she they it i we you who which that this one")
"""A clause with one of these means somebody named elsewhere, and stays where it is."""

TELLING = words(
    "confirms announces declares kills injures wounds arrests reports hits destroys damages closes opens reaches rejects "
    "approves launches evacuates rescues charges orders suspends cancels accuses denies condemns attacks captures "
    "signs imposes lifts releases publishes appoints dismisses sentences acquits convicts blocks bans recalls shuts"
)
"""Headlines' verbs of what happened once: told as past they say the same. "Owns" and "needs" do not."""
