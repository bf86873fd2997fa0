//! Back ends: from a policy to what people deploy.
//!
//! [`render`] makes the section that is put in, through templates that a user may override;
//! [`endpoint`] does the same for the policy of a VPC endpoint, and [`routes`] says which roles are behind one.
//! [`cloudformation`] puts a policy into the role of a template and takes the managed policy out; [`role`] says which
//! roles a template has and who uses them; [`portable`] makes a policy independent of account, region and partition,
//! and [`resolve`] undoes that with the values of a stack, so that what was written can be compared with what was
//! proved.

pub mod cdk;
pub mod cloudformation;
pub mod effective;
mod eject;
pub mod endpoint;
mod function;
mod inline;
mod managed;
pub mod mapping;
pub mod owner;
pub mod place;
pub mod portable;
pub mod references;
mod refusal;
pub mod render;
pub mod resolve;
pub mod role;
pub mod routes;
pub mod section;
pub mod separate;
pub mod terraform;

pub use cloudformation::{Ejection, InjectError, Injected, Injection, Note, inject, section_of};
pub use eject::eject;
pub use mapping::{RegionalName, map_name, mappings};
pub use owner::{Owner, RoleError, role_of};
pub use portable::{Portable, Substitutions, portable};
pub use resolve::{ResolveError, StackValues, resolve};
pub use role::{RoleRef, roles};
pub use section::section_lines;
