//! Which handlers an operation has before it is derived: what `check` and `show` go by for a step that has not run. Deriving may add some
//! that only certain tables need, and take some that this one does not.

use super::vocabulary::Operation;
use crate::model::Verb::{self, Add, Drop, RollbackAdd, RollbackSimdrop, Simdrop};

impl Operation {
    /// The verbs that it does something for on the usual table.
    pub fn verbs(&self) -> &'static [Verb] {
        match self {
            Self::CreateTable(_) | Self::SetComment(_) | Self::SetProperties(_) => &[Add, RollbackAdd],
            Self::DropNotNull(_) | Self::SetDefault(_) | Self::DropDefault(_) => &[Add, RollbackAdd],
            Self::UpgradeColumnMapping(_) | Self::Backfill(_) => &[Add],
            Self::AddColumn(op) if op.up.is_some() || op.nullable == Some(false) => {
                &[Add, Simdrop, RollbackSimdrop, RollbackAdd]
            }
            Self::AddColumn(_) => &[Add, RollbackAdd],
            Self::DropTable(_) | Self::DropColumn(_) | Self::DropConstraint(_) => &[Simdrop, Drop, RollbackSimdrop],
            Self::RenameColumn(op) if op.rewrite || op.strategy.as_deref() == Some("instant") => {
                &[Simdrop, RollbackSimdrop]
            }
            Self::Repartition(_) => &[Simdrop, RollbackSimdrop],
            Self::ChangeType(op) if op.rewrite => &[Add, Simdrop, Drop, RollbackSimdrop],
            Self::RenameColumn(_) | Self::ChangeType(_) => &[Add, Simdrop, Drop, RollbackSimdrop, RollbackAdd],
            Self::SetNotNull(_) => &[Add, Simdrop, RollbackSimdrop],
            Self::AddConstraint(op) if op.enforce.as_deref() == Some("add") => &[Add, RollbackAdd],
            Self::AddConstraint(_) => &[Add, Simdrop, RollbackSimdrop],
            Self::RenameTable(_) | Self::RenameConstraint(_) | Self::CreateIndex(_) | Self::DropIndex(_) => &[Add],
            Self::RenameIndex(_) | Self::CreateEnum(_) | Self::AddEnumValue(_) | Self::RenameEnumValue(_) => &[Add],
            Self::DropEnum(_) => &[Add],
        }
    }
}
