"""The chain of a result as W3C PROV-JSON (https://www.w3.org/submissions/prov-json/)."""

from __future__ import annotations

import json
from typing import Any

from ccl.io.checksums import digest_now
from ccl.io.files import digest
from ccl.results.provenance import Chain, Job, Source

PREFIXES = {"ccl": "urn:ccl:", "sha256": "urn:sha256:", "slide": "urn:ccl:slide:", "job": "urn:ccl:job:"}
"""Files are named by their content, so documents of several results can be merged."""

SOFTWARE = {"$": "prov:SoftwareAgent", "type": "prov:QUALIFIED_NAME"}


def as_prov(chain: Chain) -> dict[str, Any]:
    """Return a chain as PROV-JSON: files are entities, jobs are activities, installations of ccl are agents.

    ``ccl:state`` of an entity is ``same``, ``changed`` or ``missing``; ``ccl:broken`` of the result lists the faults.
    """
    document: dict[str, Any] = {
        "prefix": PREFIXES,
        **{name: {} for name in ("entity", "activity", "agent", "wasGeneratedBy", "used", "wasAssociatedWith")},
    }
    for job in chain.jobs:
        _add(document, job)
    target = document["entity"].setdefault(f"sha256:{digest_now(chain.target)}", {})
    target |= {"prov:location": str(chain.target), "ccl:whole": not chain.broken}
    if chain.broken:
        target["ccl:broken"] = chain.broken
    if chain.unknown:
        target["ccl:notRecorded"] = list(map(str, chain.unknown))
    return {name: part for name, part in document.items() if part}


def _add(document: dict[str, Any], job: Job) -> None:
    """Add a job with its files and its agent."""
    origin, activity = job.origin, f"job:{job.key}"
    document["activity"][activity] = {
        "prov:type": f"ccl {origin.stage}",
        "ccl:stageVersion": origin.version,
        "ccl:settings": json.dumps(origin.settings),
        "ccl:machine": json.dumps(origin.machine),
        "ccl:workingFolder": json.dumps(origin.folder),
    }
    software = {"code": origin.code, "packages": origin.packages}
    agent = f"ccl:software-{digest(software)[:16]}"
    document["agent"][agent] = {"prov:type": SOFTWARE, **{f"ccl:{name}": json.dumps(x) for name, x in software.items()}}
    _relate(document, "wasAssociatedWith", {"prov:activity": activity, "prov:agent": agent})
    for path, sha256 in job.outputs.items():
        document["entity"].setdefault(f"sha256:{sha256}", {})["prov:location"] = str(path)
        _relate(document, "wasGeneratedBy", {"prov:entity": f"sha256:{sha256}", "prov:activity": activity})
    for source in job.sources:
        entity = document["entity"].setdefault(_name(source), {})
        entity |= {"prov:location": str(source.path), "ccl:state": source.state, "ccl:kind": source.kind}
        _relate(document, "used", {"prov:activity": activity, "prov:entity": _name(source), "prov:role": source.use})


def _name(source: Source) -> str:
    return f"{'slide' if source.use == 'slide' else 'sha256'}:{source.digest}"


def _relate(document: dict[str, Any], relation: str, entry: dict[str, str]) -> None:
    document[relation][f"_:{relation}{len(document[relation])}"] = entry
