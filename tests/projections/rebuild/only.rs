//! The rebuild of one read model alone.

use aws_sdk_dynamodb::types::AttributeValue;
use lambda::{ReadModel, read_models::Kind};
use projectors::{
    ports::{Row, Table},
    rebuild::gather::Source,
};

use super::{
    corrupted::tamper,
    whole::{carry_out, filled, name, plan, rows},
};
use crate::World;

async fn one_alone(world: &World, only: Kind, seed: u64) {
    let alone = Table::from(only);
    let right = rows(&world.projectors).await;
    let mut random = fastrand::Rng::with_seed(seed);
    let found = tamper(&world.projectors, &mut random).await;
    let wrong = rows(&world.projectors).await;
    for repair in [false, true] {
        let mut plan = plan(&name("only"), repair);
        plan.only = Some(ReadModel::first(only));
        let sources = plan.gather().into_iter().map(|gather| gather.source);
        let mut tables = sources.filter_map(Source::table);
        assert!(tables.all(|table| table == alone));
        let done = carry_out(&world.projectors, &plan).await;
        let of = |(table, _): &(Table, [String; 2])| *table == alone;
        let mut expected: Vec<_> = found.iter().filter(|(key, _)| of(key)).collect();
        expected.sort_by_key(|(_, finding)| (*finding).clone());
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(_, found)| found.clone())
            .collect();
        assert_eq!(done.findings, expected, "{only:?}");
        let aggregates = match only {
            Kind::ProcessedOrders => 9,
            Kind::ShipmentLog => 7,
        };
        assert!(done.counted.aggregates >= aggregates);
    }
    let of = |rows: &[(Table, Row)], table: Table| -> Vec<Row> {
        let rows = rows.iter().filter(|(of, _)| *of == table);
        rows.map(|(_, row)| row.clone()).collect()
    };
    let now = rows(&world.projectors).await;
    for table in super::whole::MODELS {
        let expected = match table == alone {
            true => &right,
            false => &wrong,
        };
        assert_eq!(of(&now, table), of(expected, table), "{table:?}");
    }
}

#[tokio::test]
async fn a_rebuild_of_one_read_model_leaves_the_other_alone() {
    for seed in 300..310 {
        one_alone(&filled().await, Kind::ProcessedOrders, seed).await;
        one_alone(&filled().await, Kind::ShipmentLog, seed).await;
    }
}

#[tokio::test]
async fn a_history_of_the_other_that_cannot_be_read_is_not_looked_at() {
    let world = filled().await;
    let mut item = world.table.all().remove(0);
    assert_eq!(item["aggregate"], AttributeValue::S("order#A-0".to_owned()));
    item.insert("events".to_owned(), AttributeValue::S("[{]".to_owned()));
    world.table.overwrite(item).unwrap();
    for (only, unreadable) in [(Kind::ShipmentLog, 0), (Kind::ProcessedOrders, 1)] {
        let mut plan = plan(&name("unreadable"), true);
        plan.only = Some(ReadModel::first(only));
        let done = carry_out(&world.projectors, &plan).await;
        assert_eq!(done.counted.examined, unreadable);
        assert_eq!(done.counted.unreadable, unreadable);
    }
}
