//! What a retry is asked to take up.

use domain::AggregateId;
use projectors::parked::Parked;

use crate::{
    dead_letters::{Consumer, store::DeadLetterStore},
    environment::Environment,
    error::OperatorError,
    parked,
};

/// What is to be taken up; everything by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// What is parked of one order or shipment alone, and no dead letters.
    pub aggregate: Option<AggregateId>,
    /// What one consumer of the stream has parked or given up alone.
    pub consumer: Option<Consumer>,
    /// One kind alone.
    pub category: Option<Category>,
    /// What is stuck for one reason alone.
    pub group: Option<Group>,
}

/// One kind of what is stuck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Category {
    /// What is parked.
    Parked,
    /// What was given up: of the stream, and in the queue.
    DeadLetters,
    /// What the stream's consumers have given up.
    Stream,
    /// What lies in the queue.
    Queue,
}

/// Whatever is stuck for one reason, as lists tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The consumer that has stopped, or the function that has given up: as
    /// [`Parked::consumer`] or [`DeadLetter::role`](crate::dead_letters::DeadLetter::role) says.
    pub role: Option<String>,
    /// Why: as [`Parked::code`] or [`DeadLetter::reason`](crate::dead_letters::DeadLetter::reason)
    /// says.
    pub reason: Option<String>,
}

impl Selection {
    /// An error where it contradicts itself: no dead letter is of one order or shipment.
    pub fn check(&self) -> Result<(), OperatorError> {
        if self.aggregate.is_some() && self.category == Some(Category::DeadLetters) {
            let text = "a dead letter is not of one order or shipment: leave out one of both";
            return Err(OperatorError::Usage(text.to_owned()));
        }
        Ok(())
    }

    /// Is anything selection of this one of the three kinds?
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

    /// Is something selection that is stuck there for this reason?
    pub(super) fn matches(&self, role: Option<&str>, reason: Option<&str>) -> bool {
        let same =
            |group: &Group| group.role.as_deref() == role && group.reason.as_deref() == reason;
        self.group.as_ref().is_none_or(same)
    }

    /// What of it is parked.
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

    /// Where dead letters lie, where any are selection.
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
