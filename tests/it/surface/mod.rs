//! The rest of the surface: what teams gate rollouts with, scaffolding, completion, schemas, manners, documents.

mod ask;
mod completion;
mod deploy;
mod errors;
mod examples;
mod exits;
mod links;
mod manners;
mod new;
mod output;
mod pictures;
mod recipes;
