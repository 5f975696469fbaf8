"""`make sbom`: what the product is made of, as CycloneDX 1.6 in JSON (`build/sbom.json`).

From `requirements.lock` and what the packages say of themselves; the same lock gives the same
bytes.
"""

import argparse
import json
import tomllib
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from uuid import UUID, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

from tests.supply.licences import read_licences
from tests.supply.lock import LOCK, ROOT, Pin, read_lock

BILL = ROOT / "build" / "sbom.json"
_NAMESPACE = UUID("c9b4a5a2-3c1e-5a4e-9d0a-2f6f5a1b7e10")


def bill_of_materials(pins: Sequence[Pin], *, name: str, version: str) -> str:
    """Return the bill of what these pins install, for the product of this name."""
    product = Component(
        name=name, version=version, type=ComponentType.APPLICATION, bom_ref=f"{name}@{version}"
    )
    parts = {pin: _component(pin) for pin in pins}
    bom = Bom(components=parts.values())
    bom.metadata.component = product
    for needed_by in (name, *sorted({pin.name for pin in pins})):
        needed = [parts[pin] for pin in pins if needed_by in pin.needed_by]
        holders = [part for pin, part in parts.items() if pin.name == needed_by] or [product]
        for holder in holders:
            bom.register_dependency(holder, needed)
    shown = json.loads(
        make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string()
    )
    del shown["metadata"]["timestamp"]
    del shown["serialNumber"]
    content = json.dumps(shown, sort_keys=True)
    serial = uuid5(_NAMESPACE, sha256(content.encode()).hexdigest())
    return json.dumps({**shown, "serialNumber": f"urn:uuid:{serial}"}, indent=1, sort_keys=True)


def _component(pin: Pin) -> Component:
    licence = read_licences().of(pin.name)
    address = PackageURL("pypi", name=pin.name, version=pin.version)
    return Component(
        name=pin.name,
        version=pin.version,
        type=ComponentType.LIBRARY,
        purl=address,
        bom_ref=str(address),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=each) for each in pin.hashes],
        licenses=[LicenseFactory().make_from_string(licence)] if licence else [],
        properties=[Property(name="marker", value=pin.marker)] if pin.marker else [],
    )


def project_bill() -> str:
    """Return the bill of this repository as it is locked."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = read_lock(LOCK.read_text())
    return bill_of_materials(pins, name=project["name"], version=project["version"])


def main() -> None:
    parser = argparse.ArgumentParser(prog="make sbom", description=__doc__)
    parser.add_argument("--output", type=Path, default=BILL)
    output = parser.parse_args().output
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(project_bill() + "\n")
    print(f"The bill of materials is in {output}.")


if __name__ == "__main__":
    main()
