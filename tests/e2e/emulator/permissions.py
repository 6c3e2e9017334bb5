"""What IAM is asked, where ministack asks otherwise than AWS.

- To publish a batch is `sns:Publish`; an action for batches there is none (Service Authorization
  Reference, Amazon SNS).
- A KMS key that is called by its alias is asked for as the key itself (KMS Developer Guide, "Use
  aliases to control access to KMS keys"); ministack asks for the alias.
- Calls to the emulator count as encrypted: policies refuse calls without TLS, of anybody, and on
  this machine there is none. That the policies refuse it is asserted on the template.
"""

from ministack.core import iam_actions, iam_evaluator
from ministack.services import kms

ORIGINAL_ACTION = iam_actions.extract_iam_action
ORIGINAL_RESOURCE = iam_actions.extract_resource_arn
ORIGINAL_KEY = iam_evaluator._resolve_condition_key


def action(*request):
    """The action that a call needs."""
    asked = ORIGINAL_ACTION(*request)
    return "sns:Publish" if asked == "sns:PublishBatch" else asked


def resource(*request):
    """The resource that a call is about."""
    asked = ORIGINAL_RESOURCE(*request)
    is_alias = asked.startswith("arn:aws:kms:") and ":alias/" in asked
    key = kms._resolve_key(asked) if is_alias else None
    return key["Arn"] if key else asked


def condition_key(key, context):
    """The value of a condition's key."""
    return "true" if key.lower() == "aws:securetransport" else ORIGINAL_KEY(key, context)


def install() -> None:
    """Puts this in the place of ministack's questions."""
    iam_actions.extract_iam_action = action
    iam_actions.extract_resource_arn = resource
    iam_evaluator._resolve_condition_key = condition_key
