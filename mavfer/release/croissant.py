"""croissant.json: the release described for programs, in Croissant 1.0 (MLCommons).

JSON-LD after http://mlcommons.org/croissant/1.0, with the terms on responsible use of
http://mlcommons.org/croissant/RAI/1.0. Files are listed by path relative to croissant.json.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from mavfer.release.croissant_records import record_sets
from mavfer.release.datasheet_making import annotation_text
from mavfer.release.limits import bias_sentences, codec_text, limit_sentences, sensitive_sentence
from mavfer.release.wording import listed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mavfer.release.contents import Contents, ReleasedFile

    Node = dict[str, Any]

__all__ = ["croissant"]

_CONTEXT: Final = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The terms that the standard asks every file to spell out."""

_JSON_LINES: Final = "application/jsonlines"
"""As the standard's own tools call it."""

_HDF5: Final = "application/x-hdf5"
_FOLDERS: Final = {
    "shards": ("shards/*.h5", _HDF5, "All shards, one a session."),
    "plain": ("plain/*.h5", _HDF5, "The shards with pixels as they are, one a session."),
    "ratings": ("ratings/*/*.csv", "text/csv", "Samples of every take of every rater."),
}
"""Pattern, type and meaning of what lies in a folder."""

_CONFORMS_TO: Final = "http://mlcommons.org/croissant/1.0"
_NO_LICENCE: Final = "Not decided: all rights reserved"
_DAY: Final = len("2026-07-30")
_CREATIVE_COMMONS: Final = re.compile(r"CC0-1\.0|CC-BY(-NC)?(-SA|-ND)?-\d\.\d")
_NOT_IN_A_NAME: Final = re.compile(r"[^A-Za-z0-9]+")


def croissant(contents: Contents) -> Node:
    """The whole document; what nobody knows is left out."""
    study, answers = contents.study, contents.answers
    document = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": contents.name,
        "description": study["description"].strip() or _description(contents),
        "conformsTo": _CONFORMS_TO,
        "version": contents.version,
        "datePublished": contents.created_utc[:_DAY],
        "license": _licence(study["licence"]),
        "url": answers.get("address"),
        "creator": _creator(contents),
        "citeAs": answers.get("citation") or _citation(contents),
        "isLiveDataset": False,
        "keywords": ["facial affect", *(each["name"] for each in study["dimensions"])],
        **_responsible_use(contents),
        "distribution": [*_file_objects(contents), *_file_sets(contents)],
        "recordSet": record_sets(contents),
    }
    return {key: value for key, value in document.items() if value not in (None, "", [])}


def _licence(licence: str | None) -> str:
    """The address of a Creative Commons licence, as the standard prefers; others as they stand."""
    if licence and _CREATIVE_COMMONS.fullmatch(licence):
        return f"https://spdx.org/licenses/{licence}.html"
    return licence or _NO_LICENCE


def _description(contents: Contents) -> str:
    rated = listed(each["name"] for each in contents.study["dimensions"])
    return (
        f"Faces of {len(contents.subjects)} subjects in {listed(contents.streams)}: "
        f"{len(contents.lines)} sessions, {contents.frames} frames, labels of {rated}."
    )


def _creator(contents: Contents) -> Node | None:
    """Who made the data, else whom to write to."""
    name = contents.answers.get("creators") or contents.study["contact"]
    return {"@type": "sc:Organization", "name": name} if name else None


def _citation(contents: Contents) -> str:
    """A BibTeX entry without authors, until the lab says how to cite."""
    key = _NOT_IN_A_NAME.sub("", contents.name.lower()) or "dataset"
    year = contents.created_utc[: len("2026")]
    return (
        f"@misc{{{key}{year}, title = {{{contents.name}}}, year = {{{year}}}, "
        f"note = {{Version {contents.version}}}}}"
    )


def _responsible_use(contents: Contents) -> Node:
    """Terms of the extension for responsible use; empty ones are left out by the caller."""
    answers = contents.answers
    annotation = annotation_text(contents.annotation) if contents.annotation else []
    return {
        "rai:dataCollection": _collection(contents),
        "rai:dataCollectionRawData": _raw_data(contents),
        "rai:dataPreprocessingProtocol": _preprocessing(contents),
        "rai:dataAnnotationProtocol": " ".join(annotation),
        "rai:annotatorDemographics": answers.get("raters"),
        "rai:dataUseCases": answers.get("past_uses"),
        "rai:dataLimitations": limit_sentences(contents),
        "rai:dataBiases": [*bias_sentences(contents), *_told(answers, "population")],
        "rai:dataSocialImpact": answers.get("unwanted_uses"),
        "rai:personalSensitiveInformation": sensitive_sentence(contents),
        "rai:dataReleaseMaintenancePlan": answers.get("upkeep"),
    }


def _collection(contents: Contents) -> str:
    """When, and in the lab's words how; the standard's own term for when asks for days."""
    first, last = contents.recorded_months or ("", "")
    when = [f"Recorded from {first} to {last}."] if first else []
    asked = ("recruitment", "setting", "stimuli", "ethics")
    return " ".join([*when, *(contents.answers[key] for key in asked if key in contents.answers)])


def _raw_data(contents: Contents) -> str:
    ways = [
        f"{way.stream}: {way.model}, {way.width} x {way.height} pixels, {way.rate_hz:g} frames a "
        f"second, {codec_text(way)}"
        for way in contents.captures
    ]
    return "; ".join(ways)


def _preprocessing(contents: Contents) -> str:
    presets = listed(sorted({line["alignment"] for line in contents.lines}))
    return (
        "Faces found in color, 68 landmarks followed, upright crops by a similarity "
        f"(preset {presets}); depth and thermal drawn into the same crops, the frame nearest in "
        "time; pixels kept without loss."
    )


def _told(answers: Mapping[str, str], key: str) -> list[str]:
    return [answers[key]] if key in answers else []


def _file_objects(contents: Contents) -> list[Node]:
    """Every file but the ratings, of which there may be thousands: release.json has them."""
    ratings = {file.path for file in contents.files_below("ratings")}
    return [_file_object(file) for file in contents.files if file.path not in ratings]


def _file_object(file: ReleasedFile) -> Node:
    return {
        "@type": "cr:FileObject",
        "@id": file.path,
        "name": file.path,
        "contentUrl": file.path,
        "contentSize": f"{file.size} B",
        "encodingFormat": _JSON_LINES if file.path.endswith(".jsonl") else file.media_type,
        "sha256": file.sha256,
    }


def _file_sets(contents: Contents) -> list[Node]:
    """What lies in many files, as one thing each."""
    return [
        {
            "@type": "cr:FileSet",
            "@id": f"all-{folder}",
            "name": f"all-{folder}",
            "description": description,
            "encodingFormat": media_type,
            "includes": pattern,
        }
        for folder, (pattern, media_type, description) in _FOLDERS.items()
        if contents.files_below(folder)
    ]
