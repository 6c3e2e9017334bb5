"""A synthesised template, and how to ask it."""

from __future__ import annotations

from typing import Any


def text(value: Any) -> Any:
    """A value with what CloudFormation would fill in written as `<name>`."""
    if isinstance(value, list):
        return [text(item) for item in value]
    if not isinstance(value, dict):
        return value
    match list(value.items()):
        case [("Ref", name)]:
            return f"<{name}>"
        case [("Fn::GetAtt", [name, attribute])]:
            return f"<{name}.{attribute}>"
        case [("Fn::ImportValue", name)]:
            return f"<{text(name)}>"
        case [("Fn::Join", [separator, parts])]:
            return separator.join(str(text(part)) for part in parts)
    return {key: text(item) for key, item in value.items()}


def several(value: Any) -> list[Any]:
    """IAM writes one of something without a list."""
    return value if isinstance(value, list) else [value]


class Template:
    """One stack's template."""

    def __init__(self, json: dict[str, Any]) -> None:
        self.json = json
        self.resources: dict[str, dict[str, Any]] = json["Resources"]

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        """The properties of every resource of the type `AWS::<kind>`, by logical id."""
        return {
            id: text(resource.get("Properties", {}))
            for id, resource in self.resources.items()
            if resource["Type"] == f"AWS::{kind}"
        }

    def by(self, kind: str, name: str) -> dict[str, dict[str, Any]]:
        """The same, by a property that is its name."""
        found = {properties[name]: properties for properties in self.of(kind).values()}
        assert len(found) == len(self.of(kind)), f"names of {kind} repeat"
        return found

    def only(self, kind: str) -> dict[str, Any]:
        """The properties of the only resource of a type."""
        [properties] = self.of(kind).values()
        return properties

    def logical_id(self, kind: str, name: str, value: str) -> str:
        """The logical id of the resource that is called so."""
        [found] = [id for id, properties in self.of(kind).items() if properties[name] == value]
        return found


class Stacks:
    """The templates of one environment."""

    def __init__(self, environment: str, templates: dict[str, dict[str, Any]]) -> None:
        self.environment = environment
        self.state = Template(templates["state"])
        self.service = Template(templates["service"])
        self.operations = Template(templates["operations"])

    def name(self, suffix: str) -> str:
        return f"waybill-{self.environment}-{suffix}"

    @property
    def all(self) -> dict[str, Template]:
        return {
            "state": self.state,
            "service": self.service,
            "operations": self.operations,
        }

    def function(self, role: str) -> dict[str, Any]:
        """The function of a role."""
        return self.service.by("Lambda::Function", "FunctionName")[self.name(role)]

    def statements(self) -> list[tuple[str, dict[str, Any]]]:
        """Every statement of every policy for somebody of ours, with whose it is: a role by the
        description's last words, the operator's policy by its name."""
        found = []
        for role in self.service.of("IAM::Role").values():
            for policy in role.get("Policies", []):
                statements = policy["PolicyDocument"]["Statement"]
                found += [(role["Description"], statement) for statement in statements]
        for policy in self.service.of("IAM::ManagedPolicy").values():
            statements = policy["PolicyDocument"]["Statement"]
            found += [(policy["ManagedPolicyName"], statement) for statement in statements]
        # Nothing is attached from elsewhere, where this would not see it.
        for template in self.all.values():
            assert not template.of("IAM::Policy")
            for role in template.of("IAM::Role").values():
                assert "ManagedPolicyArns" not in role
        assert not self.state.of("IAM::Role") and not self.operations.of("IAM::Role")
        return found
