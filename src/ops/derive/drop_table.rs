//! `drop_table`: at simdrop nobody can write it any more, at drop it is gone. By path nothing hides it from readers in between.

use super::on::{On, commit};
use crate::{
    model::Verb,
    ops::{
        act::{Check, Does},
        edit::Edit,
        state::APPEND_ONLY,
    },
};

pub(super) fn derive(on: &mut On<'_, '_>) {
    let (by, append_only) = (on.hash.clone(), on.state.properties.get(APPEND_ONLY).cloned());
    let table = on.table;
    on.push(Verb::Simdrop, commit(vec![Edit::HideTable { by: by.clone(), append_only: append_only.clone() }]));
    on.push(Verb::RollbackSimdrop, commit(vec![Edit::ShowTable { by, append_only }]));
    let alone = Check::NoForeignCommits {
        since: Verb::Simdrop,
        refusal: format!("others have committed to table `{table}` since it was hidden"),
    };
    on.push(Verb::Drop, Does::Commit { checks: vec![alone], edits: vec![Edit::Tombstone] });
    on.push(Verb::Drop, Does::Delete);
    on.warn(format!("from simdrop on nobody can write table `{table}`; who reads it by its path goes on until drop"));
}
