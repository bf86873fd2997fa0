//! Error codes: refusals, failures after authorisation, and all the others, which say nothing.

/// The table of error codes.
#[derive(Debug, Default, serde::Deserialize)]
pub struct Errors {
    /// When the table was made.
    pub date: String,
    /// Codes of refusals, whatever the service.
    pub denied: Vec<Codes>,
    /// Codes that a service gives only after it authorised the call.
    pub authorised: Vec<Codes>,
    /// Codes that show a second permission.
    pub shows_listing: ShowsListing,
}

/// Codes from one source.
#[derive(Debug, Default, serde::Deserialize)]
pub struct Codes {
    /// The event source, empty for every one.
    #[serde(default)]
    pub event_source: String,
    /// The codes.
    pub codes: Vec<String>,
    /// Where that is documented.
    pub source: String,
}

/// S3 answers that an object is missing only to those who may list the bucket.
#[derive(Debug, Default, serde::Deserialize)]
pub struct ShowsListing {
    /// The event source.
    pub event_source: String,
    /// The codes.
    pub codes: Vec<String>,
    /// The events.
    pub events: Vec<String>,
    /// The action that is shown.
    pub action: String,
    /// Where that is documented.
    pub source: String,
}

/// What an error code says about authorisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The call was refused.
    Denied,
    /// The call was authorised and failed later.
    Authorised,
    /// Nothing.
    Nothing,
}

impl Errors {
    /// What a code of an event source says.
    #[must_use]
    pub fn meaning(&self, event_source: &str, code: &str) -> Meaning {
        let bare = code.rsplit('.').next().unwrap_or(code);
        let listed = |rows: &[Codes], code: &str| {
            rows.iter()
                .any(|r| (r.event_source.is_empty() || r.event_source == event_source) && r.codes.iter().any(|c| c == code))
        };
        if listed(&self.denied, code) || listed(&self.denied, bare) {
            Meaning::Denied
        } else if listed(&self.authorised, code) {
            Meaning::Authorised
        } else {
            Meaning::Nothing
        }
    }

    /// The further action that a failed call shows.
    #[must_use]
    pub fn also_shows(&self, event_source: &str, event: &str, code: &str) -> Option<&str> {
        let row = &self.shows_listing;
        let fits =
            row.event_source == event_source && row.events.iter().any(|e| e == event) && row.codes.iter().any(|c| c == code);
        fits.then_some(row.action.as_str())
    }
}
