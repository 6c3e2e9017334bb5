"""The readers of the stream of events."""

import re

from conftest import REPOSITORY

DAY_SECONDS = 24 * 60 * 60


def mappings(stacks):
    """The mappings by role."""
    functions = {
        f"<{id}.Arn>": function["Handler"]
        for id, function in stacks.service.of("Lambda::Function").items()
    }
    made = stacks.service.of("Lambda::EventSourceMapping").values()
    return {functions[mapping["FunctionName"]]: mapping for mapping in made}


def test_there_are_two_and_no_third(stacks):
    made = stacks.service.of("Lambda::EventSourceMapping")
    assert len(made) == 2 and mappings(stacks).keys() == {"project", "notify"}
    for template in (stacks.state, stacks.operations):
        assert not template.of("Lambda::EventSourceMapping")
    streams = {mapping["EventSourceArn"] for mapping in made.values()}
    assert len(streams) == 1 and "EventsD32975C2StreamArn" in streams.pop()


def test_nothing_is_missed_and_nothing_is_skipped(stacks):
    for mapping in mappings(stacks).values():
        assert mapping["StartingPosition"] == "TRIM_HORIZON"
        assert "StartingPositionTimestamp" not in mapping
        # A record that a filter leaves out is one that nobody sees: also a change of an event.
        assert "FilterCriteria" not in mapping
        assert mapping.get("Enabled", True) is True


def test_a_bad_record_holds_nobody_up_for_long(stacks):
    for mapping in mappings(stacks).values():
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert mapping["BisectBatchOnFunctionError"] is True
        assert 1 <= mapping["MaximumRetryAttempts"] <= 100
        assert 60 <= mapping["MaximumRecordAgeInSeconds"] < DAY_SECONDS


def test_what_is_given_up_is_kept_whole_and_counted(stacks):
    bucket = f"arn:aws:s3:::{stacks.name('dead-letters-<AWS::AccountId>')}"
    for mapping in mappings(stacks).values():
        assert mapping["DestinationConfig"] == {"OnFailure": {"Destination": bucket}}
        assert mapping["MetricsConfig"] == {"Metrics": ["EventCount"]}


def test_a_batch_is_what_it_is_locally(stacks):
    limits = (REPOSITORY / "infra/local/src/limits.rs").read_text()
    [batch] = re.findall(r"BATCH_RECORDS: usize = (\d+)", limits)
    for mapping in mappings(stacks).values():
        assert mapping["BatchSize"] == int(batch)


def test_records_given_up_are_gone_after_a_fortnight(stacks):
    buckets = stacks.state.by("S3::Bucket", "BucketName")
    bucket = buckets[stacks.name("dead-letters-<AWS::AccountId>")]
    [rule] = bucket["LifecycleConfiguration"]["Rules"]
    assert rule["ExpirationInDays"] == 14 and rule["Status"] == "Enabled"
    assert "Prefix" not in rule
