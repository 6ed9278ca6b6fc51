"""What a command line may call the functions and APIs that `sam local` runs, and why one of them cannot run here."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from cfnlint.decode.cfn_yaml import load  # the short forms (!Ref, !Sub) need a reader that knows them
from laptop import EmulatorError
from laptop.environment import ROOT

# What the logical id of a nested application ends with that is deployed where it is asked for: the parameter has the
# name without.
_ASKED_FOR = "Service"


class NotHere(EmulatorError):
    """What was named cannot run here, or does not exist."""


@dataclass(frozen=True)
class Names:
    """All that can be named, by the templates, and which of it is deployed.

    Attributes:
        functions: all, by their paths, such as `Orders/ApiFunction`.
        unmounted: those on a file system, which `sam local` does not mount.
        apis: the nested applications that have one, such as `Orders`.
        applications: the nested applications that are deployed.
    """

    functions: tuple[str, ...]
    unmounted: tuple[str, ...]
    apis: tuple[str, ...]
    applications: tuple[str, ...]

    @classmethod
    def of(cls, deployed: Iterable[str]) -> Self:
        """Read the templates.

        Args:
            deployed: paths of the resources of the stack that runs.
        """
        written = list(_written())
        return cls(
            tuple(path for path, kind, _ in written if kind == "AWS::Serverless::Function"),
            tuple(path for path, _, properties in written if "FileSystemConfigs" in properties),
            tuple(path.partition("/")[0] for path, kind, _ in written if kind == "AWS::Serverless::Api"),
            tuple(dict.fromkeys(path.partition("/")[0] for path in deployed if "/" in path)),
        )

    def function(self, wanted: str) -> str:
        """The path of a function that can run here, the nested application named with or without its `Service`.

        Raises:
            NotHere: see there.
        """
        found = next((path for path in self.functions if wanted in (path, spoken(path))), None)
        if found is None:
            known = [path for path in self.functions if self._is_here(path) and path not in self.unmounted]
            raise NotHere(f"There is no function {wanted}. There are {', '.join(map(spoken, known))}.")
        if found in self.unmounted:
            raise NotHere(f"{wanted} works on a file system, and SAM mounts none: it runs only where it is deployed.")
        return self._deployed(found)

    def api(self, wanted: str) -> str:
        """The nested application whose API can be served here.

        Raises:
            NotHere: see there.
        """
        found = next((application for application in self.apis if wanted in (application, spoken(application))), None)
        if found is None:
            raise NotHere(f"There is no API {wanted}. There are {', '.join(map(spoken, self.apis))}.")
        return self._deployed(found)

    def _is_here(self, path: str) -> bool:
        return path.partition("/")[0] in self.applications

    def _deployed(self, path: str) -> str:
        if not self._is_here(path):
            asked = spoken(path.partition("/")[0]).lower()
            raise NotHere(f"{spoken(path)} is not deployed here: make down, and make up WITH={asked}")
        return path


def spoken(path: str) -> str:
    """A path as people say it: `Kitchens/ConsumerFunction` for `KitchensService/ConsumerFunction`."""
    application, slash, name = path.partition("/")
    return application.removesuffix(_ASKED_FOR) + slash + name


def _written() -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Path, type and properties of all that the services' templates have."""
    for application, nested in _resources("template.yaml").items():
        if nested["Type"] == "AWS::Serverless::Application":
            for logical_id, resource in _resources(nested["Properties"]["Location"]).items():
                yield f"{application}/{logical_id}", resource["Type"], resource.get("Properties", {})


def _resources(location: str) -> dict[str, Any]:
    return dict(load(str(ROOT / location))["Resources"])
