"""What keeps state: tables, the key of personal data, buckets, the bus with its archive, the topic,
the dead letters.

The table of keys can be restored to a point in time as every other table. So a key that an erasure
has destroyed is held by the backups for as long as `restore_days` says, 35 days in staging and
prod: until then, whoever may restore tables could open with it what was erased.
"""

from __future__ import annotations

from typing import Any

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from . import exceptions, tables
from .config import Config
from .places import REBUILDS_PREFIX, Places

# Dead letters hold payloads: they are gone after a fortnight, the most that SQS keeps.
DEAD_LETTER_DAYS = 14

# How long a dead letter that somebody is looking at stays hidden from everybody else.
LOOKING_AT_MINUTES = 5

# A rebuild's ledger serves to resume it, not to be kept.
LEDGER_DAYS = 30

# Parts of an upload that nobody finished.
UPLOAD_DAYS = 7

# How long KMS waits before it deletes a key whose deletion was asked for: the longest that there
# is. With the key, all personal data of the environment would be gone.
KEY_DELETION_DAYS = 30

# Events are immutable for everybody: functions, operators and administrators (who would have to
# change the table's policy first). What the functions may do beside is their own roles' business.
# Nor does anybody remove the record of a key: an erasure puts one without its key in its place.
DENIED = [
    "dynamodb:UpdateItem",
    "dynamodb:DeleteItem",
    "dynamodb:BatchWriteItem",
    "dynamodb:PartiQLInsert",
    "dynamodb:PartiQLUpdate",
    "dynamodb:PartiQLDelete",
]


class State(Stack):
    """What keeps state. Nothing here is replaced by an update: names and keys never change."""

    def __init__(self, scope: Construct, id: str, *, config: Config, **kwargs: Any) -> None:
        super().__init__(scope, id, **kwargs)
        self.config = config
        self.removal = RemovalPolicy.RETAIN if config.keep_data else RemovalPolicy.DESTROY
        self.described = tables.read(config)
        self.at = Places(self, config, self.described)
        self.tables = {id: self._table(table) for id, table in self.described.items()}
        self.personal_data_key = self._personal_data_key()
        self.orders = self._orders_bucket()
        self.dead_letter_bucket = self._dead_letter_bucket()
        self.bus = self._bus()
        self.topic = self._topic()
        self.dead_letters = self._dead_letter_queue()
        self._outputs()

    def _table(self, described: tables.Table) -> dynamodb.Table:
        config = self.config
        says = {"events": "EventsAreImmutable", "keys": "RecordsOfKeysStay"}.get(described.id)
        policy = self._append_only(says, described.id) if says else None
        table = dynamodb.Table(
            self,
            described.id[0].upper() + described.id[1:],
            table_name=config.name(described.suffix),
            partition_key=_attribute(described.partition_key),
            sort_key=_attribute(described.sort_key) if described.sort_key else None,
            stream=dynamodb.StreamViewType[described.stream] if described.stream else None,
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True,
                recovery_period_in_days=config.restore_days,
            ),
            deletion_protection=config.keep_data,
            removal_policy=self.removal,
            resource_policy=policy,
        )
        for index in described.indexes:
            everything = index.include is None
            kind = dynamodb.ProjectionType
            table.add_global_secondary_index(
                index_name=index.name,
                partition_key=_attribute(index.partition_key),
                sort_key=_attribute(index.sort_key),
                projection_type=kind.ALL if everything else kind.INCLUDE,
                non_key_attributes=None if everything else list(index.include or ()),
            )
        return table

    def _append_only(self, says: str, table: str) -> iam.PolicyDocument:
        """A policy by which items are only put, one by one."""
        deny = iam.PolicyStatement(
            sid=says,
            effect=iam.Effect.DENY,
            principals=[iam.AnyPrincipal()],
            actions=DENIED,
            resources=[self.at.table(table)],
        )
        return iam.PolicyDocument(statements=[deny])

    def _personal_data_key(self) -> kms.Key:
        """The key that encrypts the keys in the table of keys. It never leaves KMS; who may use it
        is decided in permissions.py. The encryption context, which CloudTrail logs, is a hash."""
        key = kms.Key(
            self,
            "PersonalDataKey",
            description=f"Waybill, {self.config.environment}: the keys of personal data",
            enable_key_rotation=True,
            pending_window=Duration.days(KEY_DELETION_DAYS),
            removal_policy=self.removal,
        )
        name = self.config.name("personal-data")
        alias = kms.Alias(self, "PersonalDataKeyAlias", alias_name=f"alias/{name}", target_key=key)
        alias.apply_removal_policy(self.removal)
        return key

    def _bucket(self, id: str, name: str, **kwargs: Any) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            id,
            bucket_name=name,
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            removal_policy=self.removal,
            **kwargs,
        )
        exceptions.of_bucket(bucket)
        return bucket

    def _orders_bucket(self) -> s3.Bucket:
        earlier = Duration.days(self.config.file_version_days)
        # Versions, so that a file that is uploaded anew while its import runs does not change under
        # it: a command id names the version.
        bucket = self._bucket(
            "Orders",
            self.at.orders_bucket_name,
            versioned=True,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="earlier-versions",
                    noncurrent_version_expiration=earlier,
                    expired_object_delete_marker=True,
                ),
                s3.LifecycleRule(
                    id="unfinished-uploads",
                    abort_incomplete_multipart_upload_after=Duration.days(UPLOAD_DAYS),
                ),
                s3.LifecycleRule(
                    id="ledgers-of-rebuilds",
                    prefix=REBUILDS_PREFIX,
                    expiration=Duration.days(LEDGER_DAYS),
                ),
            ],
        )
        # The library's own switch would add a function with a role of broad rights to set this.
        resource = bucket.node.default_child
        assert isinstance(resource, s3.CfnBucket)
        resource.add_property_override(
            "NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled", True
        )
        return bucket

    def _dead_letter_bucket(self) -> s3.Bucket:
        days = Duration.days(DEAD_LETTER_DAYS)
        gone = s3.LifecycleRule(id="gone", expiration=days)
        return self._bucket(
            "DeadLetterBucket", self.at.dead_letters_bucket_name, lifecycle_rules=[gone]
        )

    def _bus(self) -> events.EventBus:
        bus = events.EventBus(self, "Bus", event_bus_name=self.config.bus)
        bus.apply_removal_policy(self.removal)
        events.CfnArchive(
            self,
            "Archive",
            archive_name=self.config.bus,
            source_arn=bus.event_bus_arn,
            retention_days=self.config.archive_days,
        )
        return bus

    def _topic(self) -> sns.Topic:
        # Not encrypted with a key of its own: what it says goes out by mail and holds no data of a
        # customer, and under the key that AWS manages alarms could not publish.
        topic = sns.Topic(self, "Alerts", topic_name=self.config.name("alerts"))
        # A policy of its own takes the place of the one that lets the account's alarms publish.
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsAndBudgets",
                principals=[
                    iam.ServicePrincipal("cloudwatch.amazonaws.com"),
                    iam.ServicePrincipal("budgets.amazonaws.com"),
                ],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": self.account}},
            )
        )
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="OnlyEncrypted",
                effect=iam.Effect.DENY,
                principals=[iam.AnyPrincipal()],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"Bool": {"aws:SecureTransport": "false"}},
            )
        )
        if self.config.alert_email:
            topic.add_subscription(subscriptions.EmailSubscription(self.config.alert_email))
        return topic

    def _dead_letter_queue(self) -> sqs.Queue:
        """One queue for the handlers, the functions' own retries and the rules: all three put the
        event itself into it, so that whoever takes dead letters up again meets one form."""
        queue = sqs.Queue(
            self,
            "DeadLetters",
            queue_name=self.config.name("dead-letters"),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(DEAD_LETTER_DAYS),
            visibility_timeout=Duration.minutes(LOOKING_AT_MINUTES),
            removal_policy=self.removal,
        )
        exceptions.of_dead_letters(queue)
        rules = [self.at.rule("*"), self.at.rule("*", default_bus=False)]
        queue.add_to_resource_policy(
            iam.PolicyStatement(
                sid="Rules",
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[queue.queue_arn],
                conditions={"ArnLike": {"aws:SourceArn": rules}},
            )
        )
        return queue

    def _outputs(self) -> None:
        for id, table in self.tables.items():
            CfnOutput(self, f"{id[0].upper()}{id[1:]}Table", value=table.table_name)
        CfnOutput(self, "OrdersBucket", value=self.orders.bucket_name)
        CfnOutput(self, "DeadLettersBucket", value=self.dead_letter_bucket.bucket_name)
        CfnOutput(self, "BusName", value=self.bus.event_bus_name)
        CfnOutput(self, "AlertsTopicArn", value=self.topic.topic_arn)
        CfnOutput(self, "DeadLettersQueueUrl", value=self.dead_letters.queue_url)


def _attribute(key: tables.Key) -> dynamodb.Attribute:
    kinds = {"S": dynamodb.AttributeType.STRING, "N": dynamodb.AttributeType.NUMBER}
    return dynamodb.Attribute(name=key.name, type=kinds[key.type])
