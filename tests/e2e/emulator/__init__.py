"""ministack, with what Waybill's stacks need of AWS and it lacks.

    python -m emulator

ministack is an emulator of AWS that others wrote. Each module here replaces a few of its
functions, and says which behaviour of AWS it brings:

- `streams`: the mapping of a DynamoDB stream to a function; `failures`: where it gives up
- `deliveries`: EventBridge to a function, with retries, permissions and dead letters
- `resources`: types and properties of CloudFormation
- `permissions`: what IAM is asked
- `logs`: what the functions log, line by line in a file
- `limits`: how often and how long

It reads ministack's environment variables, and `E2E_FUNCTION_LOGS`, the file for the logs.
"""
