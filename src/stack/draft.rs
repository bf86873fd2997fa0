//! A first `policyc.toml`, written for a person to go on with.

use std::collections::BTreeMap;

use super::StackDescription;

/// A role that was found in a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The template, relative to where the configuration will lie.
    pub template: String,
    /// The role's logical id.
    pub logical_id: String,
    /// The policy to stay inside: the embedded one that is attached, where there is one.
    pub baseline: Option<String>,
    /// Other managed policies that stay attached and are embedded.
    pub keeps: Vec<String>,
    /// Managed policies that stay attached and must be given as files.
    pub unknown: Vec<String>,
    /// The instances and launch templates that use it.
    pub instances: Vec<String>,
}

/// What lies about where the configuration will lie.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// The roles of all templates.
    pub roles: Vec<Found>,
    /// A stack description, and where it lies.
    pub description: Option<(String, StackDescription)>,
    /// Folders of records.
    pub trails: Vec<String>,
}

const HEAD: &str = "\
# Which stacks policyc derives, from what, and into which files. Paths are relative to this file.
#
#     policyc derive --stack NAME --dry-run     shows what would be written
#     policyc derive --stack NAME               writes the policies and puts them into the templates
#     policyc check  --stack NAME               for CI: is everything as derived?
";

impl Draft {
    /// The text of the configuration; every line that a person has to look at has a comment.
    #[must_use]
    pub fn write(&self) -> String {
        let mut groups: BTreeMap<&str, Vec<&Found>> = BTreeMap::new();
        for role in &self.roles {
            if let Some(baseline) = role.baseline.as_ref().filter(|_| self.is_deployed(role)) {
                groups.entry(baseline).or_default().push(role);
            }
        }
        let mut text = HEAD.to_owned();
        for (n, (baseline, roles)) in groups.iter().enumerate() {
            let name = if n == 0 { "main".to_owned() } else { format!("main-{}", n + 1) };
            text.push_str(&self.stack(&name, baseline));
            roles.iter().for_each(|role| text.push_str(&self.role(&name, role)));
        }
        if let Some(first) = self.roles.first().filter(|_| groups.is_empty()) {
            text.push_str("\n# No role could be set up as it is. This is what one would look like:\n");
            let sketch = self.stack("main", "baseline.json") + &self.role("main", first);
            text.extend(sketch.lines().map(|line| format!("#{}{}\n", if line.is_empty() { "" } else { " " }, line)));
        }
        let rest = |heading: &str, roles: Vec<&Found>| {
            let line = |r: &Found| format!("#     {} in {}\n", plain(&r.logical_id), plain(&r.template));
            if roles.is_empty() {
                String::new()
            } else {
                roles.into_iter().map(line).fold(format!("\n# {heading}\n"), |a, b| a + &b)
            }
        };
        let (carried, other): (Vec<_>, Vec<_>) = self.roles.iter().partition(|r| r.baseline.is_some());
        text.push_str(&rest(
            "Roles without a managed policy that policyc carries; to derive one, give its baseline as a file:",
            other,
        ));
        let elsewhere = carried.into_iter().filter(|r| !self.is_deployed(r)).collect();
        text.push_str(&rest("Roles that the description does not know:", elsewhere));
        text
    }

    fn stack(&self, name: &str, baseline: &str) -> String {
        let description = match &self.description {
            Some((path, _)) => format!("description = {}", quoted(path)),
            None => "description = \"policyc/stack.json\"         # missing: `policyc record` writes it from the live stack"
                .to_owned(),
        };
        let trail = if self.trails.is_empty() && self.description.is_none() {
            "trail = [\"policyc/stack.ledger\"]              # missing: `policyc record` writes it too; or CloudTrail files"
                .to_owned()
        } else if self.trails.is_empty() {
            "trail = [\"AWSLogs\"]                            # missing: CloudTrail files, folders, or ledgers".to_owned()
        } else {
            format!("trail = [{}]", self.trails.iter().map(|t| quoted(t)).collect::<Vec<_>>().join(", "))
        };
        format!(
            "\n[stack.{name}]\n{description}\n{trail}\nbaseline = {}\n# coverage = \"selectors.json\"                 # what the trail shows: aws cloudtrail get-event-selectors\n",
            quoted(baseline)
        )
    }

    fn role(&self, stack: &str, role: &Found) -> String {
        let users =
            if role.instances.is_empty() { "nothing in the template".to_owned() } else { plain(&role.instances.join(", ")) };
        let mut text = format!("\n# Used by {users}.\n[[stack.{stack}.role]]\n");
        match self.deployed(role) {
            Some(name) => text.push_str(&format!("stack = {}\n", quoted(name))),
            None => text
                .push_str(&format!("stack = {:<37} # the name of the deployed stack; a guess\n", quoted(stem(&role.template)))),
        }
        text.push_str(&format!("logical-id = {}\ntemplate = {}\n", quoted(&role.logical_id), quoted(&role.template)));
        text.push_str(&format!("policy = {}\n", quoted(&self.policy(role))));
        if !role.keeps.is_empty() {
            let keeps: Vec<String> = role.keeps.iter().map(|k| quoted(k)).collect();
            text.push_str(&format!("keeps = [{}]\n", keeps.join(", ")));
        }
        for unknown in &role.unknown {
            text.push_str(&format!("# also attached: {}; name its document in `keeps`\n", plain(unknown)));
        }
        text.push_str("# needs = [\"session-manager\"]                 # features to allow whether or not they were seen\n");
        text
    }

    /// Whether the role may be derived: without a description nothing is known against it.
    fn is_deployed(&self, role: &Found) -> bool {
        self.description.as_ref().is_none_or(|(_, d)| d.stacks.values().any(|s| s.roles.contains_key(&role.logical_id)))
    }

    /// Where its policy goes: a file of its own also where two templates use the same logical id.
    fn policy(&self, role: &Found) -> String {
        let same = self.roles.iter().filter(|r| r.logical_id == role.logical_id).count();
        let folder = if same > 1 { format!("{}/", stem(&role.template)) } else { String::new() };
        format!("policies/{folder}{}.json", role.logical_id)
    }

    /// The deployed stack that has the role, where the description knows exactly one.
    fn deployed(&self, role: &Found) -> Option<&str> {
        let (_, description) = self.description.as_ref()?;
        let mut stacks = description.stacks.iter().filter(|(_, s)| s.roles.contains_key(&role.logical_id));
        let (name, _) = stacks.next()?;
        stacks.next().is_none().then_some(name.as_str())
    }
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// Text for a comment: it stays on its line.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn stem(path: &str) -> &str {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.rsplit_once('.').map_or(file, |(stem, _)| stem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::config::Config;

    fn found(id: &str, baseline: Option<&str>) -> Found {
        Found {
            template: "cfn/web \"x\".yaml".to_owned(),
            logical_id: id.to_owned(),
            baseline: baseline.map(str::to_owned),
            keeps: vec!["CloudWatchAgentServerPolicy".to_owned()],
            unknown: vec!["arn:aws:iam::aws:policy/Other\nevil = 1".to_owned()],
            instances: vec!["Web".to_owned()],
        }
    }

    #[test]
    fn what_is_written_can_be_read() {
        let roles = vec![found("A", Some("One")), found("B", Some("Two")), found("C", Some("One")), found("D", None)];
        let text = Draft { roles, ..Draft::default() }.write();
        let config = Config::parse(&text).unwrap();
        let ids = |stack: &str| config.stack[stack].role.iter().map(|r| r.logical_id.clone()).collect::<Vec<_>>();
        assert_eq!((ids("main"), ids("main-2")), (vec!["A".to_owned(), "C".to_owned()], vec!["B".to_owned()]));
        let role = &config.stack["main"].role[0];
        assert_eq!((role.stack.as_str(), role.template.as_deref()), ("web \"x\"", Some("cfn/web \"x\".yaml")));
        assert_eq!(role.keeps, ["CloudWatchAgentServerPolicy"]);
        assert!(text.contains("#     D in cfn"), "{text}");
        let mut described = super::super::Stack::default();
        described.roles.insert("A".to_owned(), super::super::Role::default());
        let description = StackDescription { stacks: [("web".to_owned(), described)].into(), ..StackDescription::default() };
        let (one, two) = (found("A", Some("One")), found("B", Some("One")));
        let text =
            Draft { roles: vec![one, two], description: Some(("s.json".to_owned(), description)), trails: Vec::new() }.write();
        let config = Config::parse(&text).unwrap();
        let roles = &config.stack["main"].role;
        assert_eq!(roles.iter().map(|r| (r.logical_id.as_str(), r.stack.as_str())).collect::<Vec<_>>(), [("A", "web")]);
        assert!(text.contains("does not know:\n#     B in cfn"), "{text}");
    }
}
