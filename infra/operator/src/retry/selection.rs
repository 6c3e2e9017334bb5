//! What a retry is asked to work on.

use domain::AggregateId;
use projectors::parked::Parked;

use crate::{
    dead_letters::{Consumer, store::DeadLetterStore},
    environment::Environment,
    error::OperatorError,
    parked,
};

/// The selection of a retry. By default it is everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only the parked entries of this order or shipment, and no dead letters.
    pub aggregate: Option<AggregateId>,
    /// Only what this consumer of the stream has parked or failed to handle.
    pub consumer: Option<Consumer>,
    /// Only one category.
    pub category: Option<Category>,
    /// Only what has failed for one reason.
    pub group: Option<Group>,
}

/// A category of what a retry works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Category {
    /// The parked aggregates.
    Parked,
    /// All dead letters: those of the stream and those of the queue.
    DeadLetters,
    /// The dead letters of the stream: objects in the bucket.
    Stream,
    /// The dead letters of the queue.
    Queue,
}

/// Everything that has failed for one reason, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The consumer or function that has failed, as [`Parked::consumer`] or
    /// [`DeadLetter::role`](crate::dead_letters::DeadLetter::role) names it.
    pub role: Option<String>,
    /// The reason, as [`Parked::code`] or
    /// [`DeadLetter::reason`](crate::dead_letters::DeadLetter::reason) names it.
    pub reason: Option<String>,
}

impl Selection {
    /// Fails with `Usage` where the selection contradicts itself: a dead letter does not belong to
    /// one order or shipment.
    pub fn check(&self) -> Result<(), OperatorError> {
        if self.aggregate.is_some() && self.category == Some(Category::DeadLetters) {
            let text = "a dead letter is not of one order or shipment: leave out one of both";
            return Err(OperatorError::Usage(text.to_owned()));
        }
        Ok(())
    }

    /// Whether the selection includes `kind`, which is one of the three categories that are stored
    /// apart: [`Category::Parked`], [`Category::Stream`] and [`Category::Queue`].
    pub(super) fn includes(&self, kind: Category) -> bool {
        let of_kind = match self.category {
            None => true,
            Some(Category::DeadLetters) => kind != Category::Parked,
            Some(only) => only == kind,
        };
        of_kind
            && (kind == Category::Parked || self.aggregate.is_none())
            && (kind != Category::Queue || self.consumer.is_none())
    }

    /// Whether the selection includes what has failed there for this reason.
    pub(super) fn matches(&self, role: Option<&str>, reason: Option<&str>) -> bool {
        let same =
            |group: &Group| group.role.as_deref() == role && group.reason.as_deref() == reason;
        self.group.as_ref().is_none_or(same)
    }

    /// Reads the parked entries that are selected.
    pub(super) async fn parked(
        &self,
        environment: &Environment,
    ) -> Result<Vec<Parked>, OperatorError> {
        if !self.includes(Category::Parked) {
            return Ok(Vec::new());
        }
        let mut parked = parked::all(environment).await?;
        let aggregate = self.aggregate.as_ref().map(AggregateId::to_string);
        parked.retain(|one| {
            aggregate.as_ref().is_none_or(|id| one.aggregate == *id)
                && self.consumer.is_none_or(|of| one.consumer == of.name())
                && self.matches(Some(&one.consumer), Some(&one.code))
        });
        Ok(parked)
    }

    /// The store of dead letters; `None` where no dead letters are selected.
    pub(super) fn store(
        &self,
        environment: &Environment,
    ) -> Result<Option<DeadLetterStore>, OperatorError> {
        match self.includes(Category::Stream) || self.includes(Category::Queue) {
            true => DeadLetterStore::of(environment).map(Some),
            false => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_group(only: Category, role: Option<&str>, reason: Option<&str>) -> Selection {
        Selection {
            category: Some(only),
            group: Some(Group {
                role: role.map(str::to_owned),
                reason: reason.map(str::to_owned),
            }),
            ..Selection::default()
        }
    }

    #[test]
    fn a_group_is_what_has_its_reason_and_nothing_else() {
        let selection = of_group(Category::Queue, Some("bus"), Some("invalid_field"));
        assert!(selection.matches(Some("bus"), Some("invalid_field")));
        for other in [
            (Some("bus"), None),
            (Some("bus"), Some("order_closed")),
            (Some("import"), Some("invalid_field")),
            (None, Some("invalid_field")),
        ] {
            assert!(!selection.matches(other.0, other.1), "{other:?}");
        }
        assert!(of_group(Category::Queue, None, None).matches(None, None));
        assert!(Selection::default().matches(Some("bus"), None));
    }

    #[test]
    fn one_kind_alone_leaves_the_others() {
        let kinds = [Category::Parked, Category::Stream, Category::Queue];
        let taken = |selection: Selection| kinds.map(|kind| selection.includes(kind));
        let only = |only| Selection {
            category: Some(only),
            ..Selection::default()
        };
        assert_eq!(taken(Selection::default()), [true, true, true]);
        assert_eq!(taken(only(Category::DeadLetters)), [false, true, true]);
        assert_eq!(taken(only(Category::Stream)), [false, true, false]);
        assert_eq!(taken(only(Category::Queue)), [false, false, true]);
        let of_consumer = Selection {
            consumer: Some(Consumer::Notify),
            ..Selection::default()
        };
        assert_eq!(taken(of_consumer), [true, true, false]);
    }
}
