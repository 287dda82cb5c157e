"""The captions of the demo's samples: little scenes, written for this project."""

# ruff: noqa: RUF001 (dashes and quotation marks that look like others belong to these texts)

from .cues import cue

HARBOUR_RADIO = (
    cue(1000, 3000, ">> GOOD EVENING, HARBOUR RADIO."),
    cue(3000, 5500, "THE FOG IS GONE, THE FERRY BACK,"),
    cue(5500, 8000, "AND THE SEAGULLS ARE ON STRIKE."),
    cue(8000, 10500, ">> THEY WANT WARMER CHIPS."),
    cue(10500, 13000, ">> AND A CAFÉ WITH A SEA VIEW."),
    cue(13000, 15500, "IT IS 12° AND THE TIDE IS ½ OUT."),
)

PORTRAIT = (
    cue(2000, 4200, "<i>Señor Peña,</i>", "¿quién pintó este niño?"),
    cue(6200, 8200, "¡Mi abuela! En 1931,", "con café y carbón."),
    cue(10200, 12200, "♪ La, la, ♪", "♪ qué corazón ♪"),
    cue(13500, 15000, "Ella cantaba así."),
    cue(17000, 19100, "¿Y usted? -- ¿Canta?", "Sólo en la ducha..."),
)

BAKERY = (
    cue(1500, 3000, "Où est le pâté ?"),
    cue(4800, 6300, "À côté du gâteau,", "chère Hélène."),
    cue(8200, 9400, "<i>Ça alors !</i> Il est vide."),
    cue(10700, 11900, "Noël a goûté à tout."),
)

HARBOUR = (
    cue(800, 2300, "Wo bleibt denn der Lotse?"),
    cue(2600, 4750, "Er <i>schläft</i> noch,", "oben auf der Brücke."),
    cue(5010, 6990, "Größer als dieses Schiff", "ist nur seine Müdigkeit."),
    cue(7333, 9417, "♪ Schlaf, Käpt’n, schlaf ♪"),
)

MARKET_ENGLISH = (
    cue(500, 2100, "Three melons, please."),
    cue(2400, 4040, "These are pumpkins."),
    cue(4300, 6120, 'Three <font color="#ffff00">pumpkins</font>,', "then, please."),
    cue(6500, 8001, "– Anything else? – Melons!"),
)

MARKET_SPANISH = (
    cue(500, 2100, "Tres melones, por favor."),
    cue(2400, 4040, "Son calabazas, señora."),
    cue(4300, 6120, 'Tres <font color="#ffff00">calabazas</font>,', "entonces, por favor."),
    cue(6500, 8001, "– ¿Algo más? – ¡Melones!"),
)

LECTURE = (
    cue(1000, 3500, "Welcome to the lecture on silence."),
    cue(4000, 6250, "<i>(a long pause)</i>"),
    cue(7000, 9125, "Dziękuję. Ευχαριστώ. Спасибо."),
    cue(9500, 11999, "静けさについて話しました。"),
)

SONG = (
    cue(1000, 2500, "♪ UNDER THE STAIRCASE, ♪"),
    cue(2700, 4440, "♪ WHERE I KEEP THE RAIN, ♪"),
    cue(4600, 6100, "♪ <i>LIVES AN OLD UMBRELLA</i> ♪"),
    cue(6300, 8000, "♪ WHO REMEMBERS SPAIN. ♪", "(applause)"),
)

EVENING_NEWS = (
    cue(2000, 4480, "Grüß Gott, liebe Zuschauer!"),
    cue(5000, 7520, "In Köln sind 3 Kühe auf der Brücke."),
    cue(
        8000,
        10480,
        '<font color="#ffff00">Sind sie verärgert?</font>',
        "Nein, sie genießen die Aussicht.",
    ),
    cue(10480, 13000, "Morgen 21°, süß und sonnig."),
)

POLYGLOT = (
    cue(0, 1250, "Zażółć gęślą jaźń!"),
    cue(1500, 2750, "Příliš žluťoučký kůň", "úpěl ďábelské ódy."),
    cue(3000, 4250, "¿Olé? – Çok güzel."),
    cue(3600000, 3601500, "An hour later: still here."),
)
