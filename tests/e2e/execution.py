"""The credentials that the emulator gives a function's process: those of its role."""

import hashlib

from botocore.credentials import Credentials

from deployed import NAME, Deployed


def credentials_of(waybill: Deployed, role: str) -> Credentials:
    """What the function finds in its environment; the same for every process of it."""
    function = f"{NAME}-{role}"
    # Its role's session begins with its first process. What it makes of this does not matter.
    waybill.functions.invoke(FunctionName=function, Payload=b"{}")
    config = waybill.functions.get_function_configuration(FunctionName=function)
    named = f"{config['FunctionArn']}:{config['Role']}".encode()
    digest = hashlib.sha256(named).hexdigest()
    secret = hashlib.sha256(f"secret:{digest}".encode()).hexdigest()
    token = hashlib.sha256(f"token:{digest}".encode()).hexdigest()
    return Credentials(f"ASIA{digest[:16].upper()}", secret, token)
