//! Actions that a reviewer wants to see first, and why. The lists are other people's judgement: they order what is shown
//! and decide nothing.

use crate::iam::Action;

/// The table of risky actions.
#[derive(Debug, Default, serde::Deserialize)]
pub struct Risks {
    /// When the table was made.
    pub date: String,
    /// The kinds, the gravest first.
    pub kinds: Vec<Kind>,
}

/// Actions that are risky in one way.
#[derive(Debug, Default, serde::Deserialize)]
pub struct Kind {
    /// What to call it.
    pub name: String,
    /// Who says so.
    pub source: String,
    /// Whether AWS itself says so.
    pub certain: bool,
    /// The actions.
    pub actions: Vec<String>,
}

impl Risks {
    /// The gravest kind that an action belongs to: its rank, from 0, and its name.
    #[must_use]
    pub fn of(&self, action: &Action) -> Option<(usize, &str)> {
        let text = action.to_string();
        let listed = |kind: &Kind| kind.actions.iter().any(|own| own.eq_ignore_ascii_case(&text));
        self.kinds.iter().enumerate().find(|(_, kind)| listed(kind)).map(|(rank, kind)| (rank, kind.name.as_str()))
    }
}
