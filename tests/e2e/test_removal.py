"""What was deployed can be removed, and nothing of it stays."""

from deployed import NAME


def empty(waybill, bucket: str) -> None:
    """A bucket is removed only when it is empty, earlier versions of its objects, too."""
    for page in waybill.s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for each in page.get("Versions", []) + page.get("DeleteMarkers", []):
            waybill.s3.delete_object(Bucket=bucket, Key=each["Key"], VersionId=each["VersionId"])


def test_an_environment_that_keeps_no_data_is_removed_without_a_rest(waybill, inbox, deployment):
    inbox.close()
    empty(waybill, waybill.bucket)
    empty(waybill, waybill.dead_letters_bucket)
    deployment.destroy()
    functions = waybill.functions.list_functions()["Functions"]
    queues = waybill.sqs.list_queues(QueueNamePrefix=NAME)
    rules = waybill.events.list_rules()["Rules"]
    buckets = waybill.s3.list_buckets()["Buckets"]
    machines = waybill.states.list_state_machines()["stateMachines"]
    left = {
        "tables": waybill.dynamodb.list_tables()["TableNames"],
        "functions": [each["FunctionName"] for each in functions],
        "mappings": waybill.functions.list_event_source_mappings()["EventSourceMappings"],
        "buckets": [each["Name"] for each in buckets],
        "queues": queues.get("QueueUrls", []),
        "topics": [each["TopicArn"] for each in waybill.sns.list_topics()["Topics"]],
        "rules": [each["Name"] for each in rules],
        "buses": [each["Name"] for each in waybill.events.list_event_buses()["EventBuses"]],
        "machines": [each["name"] for each in machines],
    }
    ours = {kind: [each for each in found if NAME in str(each)] for kind, found in left.items()}
    assert not any(ours.values()), ours
