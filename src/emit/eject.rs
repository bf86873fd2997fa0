//! Taking a section out of a role again.

use crate::template::{Document, Entry, Item, Pair, Place, Value};

use super::cloudformation::{Ejection, InjectError, Injected, Role};
use super::inline;
use super::managed::owned;
use super::mapping::Maps;
use super::section;

/// Takes a section out of a role and attaches a managed policy instead: what the template was before.
///
/// # Errors
/// When the role has no such section, or the template cannot be edited faithfully.
pub fn eject(bytes: &[u8], request: &Ejection) -> Result<Injected, InjectError> {
    let doc = Document::parse(bytes)?;
    let role = Role::find(&doc, &request.role)?;
    let branches = inline::branches(&role, &request.policy_name)?;
    if branches.len() > 1 {
        return Err(role.shape("`Policies`"));
    }
    let found = branches.first().and_then(|branch| Some((branch.list?, &branch.own, *branch.own.items.first()?)));
    let (Some((list, own, first)), Some((at, _))) = (found, role.policies) else {
        return Err(InjectError::NoSection { role: request.role.clone(), policy: request.policy_name.clone() });
    };
    let style = role.style(&branches);
    let (kept, _) = section::split_comments(list, first);
    let arn = format!("arn:${{AWS::Partition}}:iam::aws:policy/{}", request.managed);
    let item = Item {
        comments: kept.iter().map(|comment| doc.comment_text(comment).to_owned()).collect(),
        value: own.presence.wrap(Value::tagged("Sub", Value::text(arn))),
    };
    let all_own = own.items.len() == list.items().len();
    let mut edits = Vec::new();
    let pair = Pair { comments: Vec::new(), key: "ManagedPolicyArns".to_owned(), value: Value::Seq(vec![item.clone()]) };
    match role.managed {
        Some((_, node)) if node.is_sequence() && node.tag().is_none() => {
            owned(node)?;
            edits.extend(doc.put(node, Place::End, Entry::Item(&item), &style)?);
        }
        Some(_) => return Err(role.shape("`ManagedPolicyArns`")),
        None if all_own => {
            edits.extend(doc.put(role.properties, Place::Over { index: at, from: None }, Entry::Pair(&pair), &style)?);
        }
        None => edits.extend(doc.put(role.properties, Place::Before(at), Entry::Pair(&pair), &style)?),
    }
    if !all_own {
        edits.extend(doc.take_out(list, &own.items)?);
    } else if role.managed.is_some() {
        edits.extend(doc.take_out(role.properties, &[at].into())?);
    }
    edits.extend(Maps::find(&doc, role.id).edits(&[], &style)?);
    let notes = inline::dropped(&item.comments, role.managed.map_or(role.properties, |(_, node)| node)).into_iter().collect();
    let edited = doc.apply(edits)?;
    let bytes = edited.bytes().to_vec();
    Ok(Injected { changed: true, bytes, notes })
}
