//! The limits of CloudTrail's event history.

/// How event history may name a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoleName {
    /// By its ARN.
    Arn,
    /// By its name alone.
    Name,
}

/// The limits, each with its source in the table.
#[derive(Debug, Default, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct EventHistory {
    /// When the table was made.
    pub date: String,
    /// How many `LookupEvents` an account may ask in one region each second.
    pub requests_per_second: u32,
    /// The most events of one page.
    pub events_per_page: u32,
    /// How many days it reaches back.
    pub days: u32,
    /// So many minutes after an event it can be expected to be found.
    pub delivery_minutes: u32,
    /// So many minutes lie between two reports of an SSM agent, each of which is an event.
    pub heartbeat_minutes: u32,
    /// Under which names a role is looked for.
    pub role_names: std::collections::BTreeSet<RoleName>,
    /// The region in which events of global services are recorded, by partition, where that is known.
    #[serde(default)]
    pub global_regions: std::collections::BTreeMap<String, String>,
}
