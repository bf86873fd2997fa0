//! From arguments to a validated question: the second step of reading a command line.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::arguments::RoleArgs;
use super::error::CliError;
use super::files;
use crate::catalog::Catalog;
use crate::derive::{Baseline, Question};
use crate::iam::{Arn, Policy};
use crate::ledger::Ledger;
use crate::ledger::address::Address;
use crate::stack::Role;
use crate::stack::attached::Document;

/// The size of a managed policy, the smallest of IAM's limits: a result within it can be attached in any way.
///
/// Source: IAM User Guide, "IAM and AWS STS quotas": 6,144 characters without white space.
pub(super) const MANAGED_POLICY_LIMIT: usize = 6_144;

/// A role as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RoleName {
    pub(super) name: String,
    pub(super) account: Option<String>,
    pub(super) partition: Option<String>,
}

impl RoleName {
    /// Reads a name or an ARN, with or without path.
    pub(super) fn parse(text: &str) -> Result<Self, CliError> {
        let bare = |name: &str| name.rsplit('/').next().unwrap_or(name).to_owned();
        let Some(arn) = Arn::parse(text) else {
            let name = bare(text);
            let valid =
                !name.is_empty() && name.len() <= 64 && name.chars().all(|c| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c));
            return if valid {
                Ok(Self { name, account: None, partition: None })
            } else {
                Err(CliError::usage(format!("`{text}` is not a role name or ARN")))
            };
        };
        match arn.resource.strip_prefix("role/") {
            Some(path) if arn.service == "iam" => {
                Ok(Self { name: bare(path), account: Some(arn.account.to_owned()), partition: Some(arn.partition.to_owned()) })
            }
            _ => Err(CliError::usage(format!(
                "`{text}` is not the ARN of a role; it should look like arn:aws:iam::111122223333:role/NAME"
            ))),
        }
    }
}

/// Finds a baseline: a file that exists, else the name or ARN of a policy that is embedded.
pub(super) fn baseline(text: &str) -> Result<Baseline, CliError> {
    if let Some(known) = crate::catalog::baselines::find(text) {
        let policy = Policy::parse(known.document).map_err(|e| CliError::configuration(Path::new(text), e))?;
        return Ok(Baseline {
            name: known.name.to_owned(),
            version: known.version.to_owned(),
            sha256: digest(known.document),
            bytes: known.document.to_vec(),
            policy,
        });
    }
    let path = PathBuf::from(text);
    if !path.is_file() {
        let known: Vec<&str> = crate::catalog::baselines::all().iter().map(|b| b.name).collect();
        return Err(CliError::usage(format!("the policy `{text}` is neither a file nor one of {}", known.join(", "))));
    }
    let bytes = files::read(&path)?;
    let policy = Policy::parse(&bytes).map_err(|e| CliError::input(&path, e))?.modern();
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(Baseline { name, version: String::new(), sha256: digest(&bytes), bytes, policy })
}

/// A document that a description has.
pub(super) fn read(document: Document) -> Result<Baseline, CliError> {
    let Document { name, version, bytes } = document;
    let policy = Policy::parse(&bytes).map_err(|e| CliError::input(Path::new(&name), e))?.modern();
    Ok(Baseline { name, version, sha256: digest(&bytes), bytes, policy })
}

/// The permissions boundary that a description gives a role.
pub(super) fn boundary(role: &Role) -> Result<Option<Baseline>, CliError> {
    let advice = "; record the stack, or name the boundary with `--boundary`, or `boundary` in policyc.toml";
    let document =
        role.limit().map_err(|e| CliError::usage(format!("the permissions boundary of `{}`: {e}{advice}", role.name)))?;
    document.map(read).transpose()
}

/// SHA-256 in hexadecimal.
pub(super) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// Puts the question together; what was not said is read off the ledger where only one answer is possible.
pub(super) fn question(
    args: &RoleArgs,
    role: &RoleName,
    baseline: Baseline,
    limit: usize,
    ledger: &Ledger,
    catalog: &Catalog,
) -> Result<Question, CliError> {
    let account = match args.account.clone().or_else(|| role.account.clone()) {
        Some(account) => account,
        None => account_of(&role.name, ledger)?,
    };
    if account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) {
        return Err(CliError::usage(format!("`{account}` is not an account id: twelve digits")));
    }
    let region = match &args.region {
        Some(region) => region.clone(),
        None => region_of(&role.name, &account, ledger)?,
    };
    let partition = role.partition.clone().unwrap_or_else(|| catalog.partition(&region).to_owned());
    Ok(Question {
        partition,
        account,
        region,
        role: role.name.clone(),
        instances: args.instance.iter().map(|i| instance(i)).collect::<Result<_, _>>()?,
        silent: BTreeSet::new(),
        needs: needs(&args.need, catalog)?,
        addresses: args.address.iter().filter(|a| is_plain(a)).map(|a| range(a)).collect::<Result<_, _>>()?,
        masked: args.address.iter().filter_map(|a| masked(a)).collect(),
        endpoints: args.address.iter().filter(|a| a.starts_with("vpce-")).cloned().collect(),
        names: BTreeMap::new(),
        allow_shared_role: args.allow_shared_role,
        baseline,
        kept: args.keep.iter().map(|k| self::baseline(k)).collect::<Result<_, _>>()?,
        boundary: args.boundary.as_deref().map(self::baseline).transpose()?,
        limit,
    })
}

/// What stands for an address in a recording.
fn masked(text: &str) -> Option<Address> {
    Address::parse(text).filter(|address| matches!(address, Address::Masked { .. }))
}

fn is_plain(text: &str) -> bool {
    !text.starts_with("vpce-") && masked(text).is_none()
}

fn instance(id: &str) -> Result<String, CliError> {
    let hex = id.strip_prefix("i-").unwrap_or_default();
    let valid = matches!(hex.len(), 8 | 17) && hex.bytes().all(|b| b.is_ascii_hexdigit());
    if valid {
        Ok(id.to_owned())
    } else {
        Err(CliError::usage(format!("`{id}` is not an instance id such as i-0123456789abcdef0")))
    }
}

/// Reads an address or a range.
pub(super) fn range(text: &str) -> Result<ipnet::IpNet, CliError> {
    let single = || text.parse::<std::net::IpAddr>().map(ipnet::IpNet::from);
    text.parse::<ipnet::IpNet>()
        .or_else(|_| single())
        .map_err(|_| CliError::usage(format!("`{text}` is not an address or CIDR range such as 203.0.113.0/24")))
}

/// Reads `--need FEATURE[=RESOURCE]`.
pub(super) fn needs(texts: &[String], catalog: &Catalog) -> Result<BTreeMap<String, Vec<String>>, CliError> {
    let mut needs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for text in texts {
        let (name, resource) = text.split_once('=').map_or((text.as_str(), None), |(n, r)| (n, Some(r)));
        if catalog.feature(name).is_none() {
            let known: Vec<&str> = catalog.features().iter().map(|f| f.name.as_str()).collect();
            return Err(CliError::usage(format!("`{name}` is not a feature; there are {}", known.join(", "))));
        }
        needs.entry(name.to_owned()).or_default().extend(resource.map(str::to_owned));
    }
    Ok(needs)
}

fn account_of(role: &str, ledger: &Ledger) -> Result<String, CliError> {
    let accounts: BTreeSet<&str> =
        ledger.uses.keys().filter(|u| u.session.role == role).map(|u| u.session.account.as_str()).collect();
    match accounts.iter().copied().collect::<Vec<_>>().as_slice() {
        [one] => Ok((*one).to_owned()),
        [] => Err(CliError::usage(format!("the records show no call of the role `{role}`; check the name, or say `--account`"))),
        several => Err(CliError::usage(format!(
            "the role `{role}` exists in the accounts {}; say which with `--account`",
            several.join(", ")
        ))),
    }
}

/// The region that most distinct calls went to; the first by name where several have as many.
fn region_of(role: &str, account: &str, ledger: &Ledger) -> Result<String, CliError> {
    let mut regions: BTreeMap<&str, usize> = BTreeMap::new();
    for used in ledger.uses.keys().filter(|u| u.session.role == role && u.session.account == account) {
        *regions.entry(&used.region).or_default() += 1;
    }
    let most = regions.into_iter().max_by_key(|(region, calls)| (*calls, std::cmp::Reverse(*region)));
    most.map(|(region, _)| region.to_owned())
        .ok_or_else(|| CliError::usage(format!("the records show no call of the role `{role}`; say `--region`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_by_name_and_arn() {
        let name = |t: &str| RoleName::parse(t).unwrap().name;
        assert_eq!(name("web-Role"), "web-Role");
        assert_eq!(name("arn:aws:iam::111122223333:role/team/web-Role"), "web-Role");
        assert_eq!(RoleName::parse("arn:aws-cn:iam::111122223333:role/r").unwrap().partition.as_deref(), Some("aws-cn"));
        for wrong in ["", "a b", "arn:aws:iam::111122223333:user/u", "arn:aws:s3:::b"] {
            assert!(RoleName::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn addresses_and_ranges() {
        assert!(range("203.0.113.7").unwrap().contains(&"203.0.113.7".parse::<std::net::IpAddr>().unwrap()));
        assert!(range("2001:db8::/32").is_ok());
        assert!(range("vpc").is_err());
    }
}
