//! Sample texts of a picture that no configuration contains: a short conversation, in the language of the
//! widget.

/// Sample texts of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Samples {
    /// Title of the widget.
    pub title: &'static str,
    /// The message of a visitor.
    pub visitor: &'static str,
    /// The message of an agent.
    pub agent: &'static str,
    /// The placeholder of the text field.
    pub field: &'static str,
    /// The button of the home screen.
    pub start: &'static str,
}

const ENGLISH: Samples = Samples {
    title: "Messages",
    visitor: "Where is my order?",
    agent: "Let me look that up for you.",
    field: "Type a message…",
    start: "Start a conversation",
};

const OTHERS: &[(&str, Samples)] = &[
    (
        "ar",
        Samples {
            title: "الرسائل",
            visitor: "أين طلبي؟",
            agent: "دعني أتحقق من ذلك لك.",
            field: "اكتب رسالة…",
            start: "ابدأ محادثة",
        },
    ),
    (
        "de",
        Samples {
            title: "Nachrichten",
            visitor: "Wo ist meine Bestellung?",
            agent: "Ich sehe gleich für Sie nach.",
            field: "Nachricht schreiben…",
            start: "Unterhaltung beginnen",
        },
    ),
    (
        "es",
        Samples {
            title: "Mensajes",
            visitor: "¿Dónde está mi pedido?",
            agent: "Déjeme comprobarlo.",
            field: "Escriba un mensaje…",
            start: "Iniciar una conversación",
        },
    ),
    (
        "fr",
        Samples {
            title: "Messages",
            visitor: "Où est ma commande ?",
            agent: "Je vérifie cela pour vous.",
            field: "Écrivez un message…",
            start: "Démarrer une conversation",
        },
    ),
    (
        "he",
        Samples {
            title: "הודעות",
            visitor: "איפה ההזמנה שלי?",
            agent: "אני בודק את זה עבורך.",
            field: "כתבו הודעה…",
            start: "התחלת שיחה",
        },
    ),
];

/// Returns the sample texts of a language; English if there are none.
pub fn samples(language: Option<&str>) -> Samples {
    let primary = language.and_then(|tag| tag.split(['-', '_']).next());
    let found = OTHERS.iter().find(|(tag, _)| Some(*tag) == primary);
    found.map_or(ENGLISH, |(_, samples)| *samples)
}
