//! Options that say how to compare.

use super::show::Value;
use crate::{compare, report};
use clap::ValueEnum;

/// How to compare.
#[derive(Clone, Debug, clap::Args)]
pub(in crate::cli) struct Terms {
    /// What to compare: figures per second of recording, or as they are
    #[arg(long, value_enum, default_value_t = Normalize::Rate, value_name = "HOW")]
    normalize: Normalize,
    /// What rows are made of
    #[arg(long, value_enum, default_value_t = By::Site, value_name = "WHAT")]
    by: By,
    /// What to show first
    #[arg(long, value_enum, default_value_t = Order::Change, value_name = "WHAT")]
    sort: Order,
    /// The figure that rows are ordered by and flame graphs are made of; without it bytes, of `tracer heap` what is alive
    #[arg(long, value_enum, value_name = "FIGURE")]
    value: Option<Value>,
}

/// How figures are made comparable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Normalize {
    /// Per second of recording
    Rate,
    /// In all
    Total,
}

/// What rows are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum By {
    /// Places in the code
    Site,
    /// Go types
    Type,
    /// Functions
    Function,
    /// Packages
    Package,
}

/// What comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Order {
    /// What changed most, and by more than noise
    Change,
    /// What is most in the candidate
    Candidate,
}

impl Terms {
    /// What was meant.
    pub(in crate::cli) fn meant(&self) -> compare::Terms {
        compare::Terms {
            normalize: match self.normalize {
                Normalize::Rate => compare::Normalize::Rate,
                Normalize::Total => compare::Normalize::Total,
            },
            by: match self.by {
                By::Site => compare::By::Site,
                By::Type => compare::By::Type,
                By::Function => compare::By::Function,
                By::Package => compare::By::Package,
            },
            order: match self.sort {
                Order::Change => compare::Order::Change,
                Order::Candidate => compare::Order::Candidate,
            },
            value: self.value.map(report::Value::from),
        }
    }
}
