import json
import re
from dataclasses import replace

import pytest

from mavfer.release.croissant import croissant
from mavfer.schema import load_schema

# Terms of schema.org that Croissant uses; every other key must stand in the context.
SCHEMA_ORG = {
    *("name", "description", "version", "datePublished", "license", "url", "creator", "keywords"),
    *("distribution", "contentUrl", "contentSize", "encodingFormat", "sha256"),
}


def nodes(value):
    """Every object of the document but the context and the records within it."""
    if isinstance(value, list):
        for item in value:
            yield from nodes(item)
    elif isinstance(value, dict):
        yield value
        for key, item in value.items():
            if key not in {"@context", "data"}:
                yield from nodes(item)


def named(document):
    """Objects with a type by their identifier."""
    return [node for node in nodes(document) if "@id" in node and "@type" in node]


@pytest.fixture(params=["contents", "simulated_contents", "answered"])
def document(request):
    return croissant(request.getfixturevalue(request.param))


def test_it_is_json_without_not_a_number(document):
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_it_conforms_to_croissant_1_0_and_has_what_that_asks_for(document):
    assert document["@type"] == "sc:Dataset"
    assert document["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    assert document["isLiveDataset"] is False
    asked = {"name", "description", "license", "version", "datePublished", "citeAs", "creator"}
    assert asked <= document.keys()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", document["datePublished"])


def test_every_key_is_a_term_that_the_context_or_schema_org_knows(document):
    context = document["@context"]
    used = {key for node in nodes(document) for key in node if not key.startswith("@")}
    used -= context.keys()

    assert {key.partition(":")[0] for key in used if ":" in key} == {"rai"}
    assert {key for key in used if ":" not in key} <= SCHEMA_ORG
    assert context["rai"] == "http://mlcommons.org/croissant/RAI/"


def test_identifiers_are_unique_and_every_reference_resolves(document):
    identifiers = [node["@id"] for node in named(document)]
    references = {node["@id"] for node in nodes(document) if node.keys() == {"@id"}}

    assert len(identifiers) == len(set(identifiers))
    assert references
    assert references <= set(identifiers)


def test_every_file_stands_with_its_size_and_hash(contents):
    objects = {
        node["@id"]: node
        for node in croissant(contents)["distribution"]
        if node["@type"] == "cr:FileObject"
    }
    listed = [file for file in contents.files if not file.path.startswith("ratings/")]

    assert objects.keys() == {file.path for file in listed}
    for file in listed:
        assert objects[file.path]["contentUrl"] == file.path
        assert objects[file.path]["contentSize"] == f"{file.size} B"
        assert objects[file.path]["sha256"] == file.sha256
    assert objects["shards/S01-001.h5"]["encodingFormat"] == "application/x-hdf5"
    assert objects["shards/index.jsonl"]["encodingFormat"] == "application/jsonlines"


def test_folders_of_many_files_are_sets(contents):
    sets = {
        node["@id"]: node["includes"]
        for node in croissant(contents)["distribution"]
        if node["@type"] == "cr:FileSet"
    }

    assert sets == {"all-shards": "shards/*.h5", "all-ratings": "ratings/*/*.csv"}


def test_fields_belong_to_their_record_set_and_have_a_type(document):
    for record_set in document["recordSet"]:
        for field in record_set["field"]:
            assert field["@id"] == f"{record_set['@id']}/{field['name']}"
            assert field["dataType"] in {"sc:Text", "sc:Integer", "sc:Float"}
            assert ("source" in field) != ("data" in record_set)


def test_records_within_the_document_have_exactly_the_fields(document):
    within = [each for each in document["recordSet"] if "data" in each]

    assert {each["@id"] for each in within} == {"streams", "shard-columns"}
    for record_set in within:
        fields = {field["@id"] for field in record_set["field"]}
        assert all(record.keys() == fields for record in record_set["data"])


def test_the_columns_of_the_index_are_those_of_its_schema(contents):
    sessions = next(each for each in croissant(contents)["recordSet"] if each["@id"] == "sessions")
    columns = {field["source"]["extract"]["column"] for field in sessions["field"]}

    assert columns <= load_schema("shard-index")["properties"].keys()
    assert {"session", "subject", "frames", "seconds", "sha256"} <= columns
    assert sessions["key"] == {"@id": "sessions/session"}


def test_labels_are_described_where_they_lie_in_the_shards(contents):
    columns = next(
        each for each in croissant(contents)["recordSet"] if each["@id"] == "shard-columns"
    )
    meaning = {
        record["shard-columns/dataset"]: record["shard-columns/description"]
        for record in columns["data"]
    }

    assert meaning["/labels/gold/valence"].startswith("valence by the label gold, -1 (unpleasant)")
    assert "/frames/landmarks" in meaning


def test_columns_of_participants_are_numbers_or_text(contents):
    subjects = next(each for each in croissant(contents)["recordSet"] if each["@id"] == "subjects")

    assert {field["name"]: field["dataType"] for field in subjects["field"]} == {
        "subject": "sc:Text",
        "age": "sc:Float",
        "gender": "sc:Text",
        "remark": "sc:Text",
    }


def test_without_tables_there_are_no_record_sets_of_them(contents):
    bare = replace(contents, files=(), labels=())

    assert [each["@id"] for each in croissant(bare)["recordSet"]] == ["streams", "shard-columns"]


@pytest.mark.parametrize(
    ("licence", "told"),
    [
        ("CC-BY-NC-4.0", "https://spdx.org/licenses/CC-BY-NC-4.0.html"),
        ("CC0-1.0", "https://spdx.org/licenses/CC0-1.0.html"),
        ("ask the lab", "ask the lab"),
        (None, "Not decided: all rights reserved"),
    ],
)
def test_a_creative_commons_licence_is_told_by_its_address(contents, licence, told):
    document = croissant(replace(contents, study={**contents.study, "licence": licence}))

    assert document["license"] == told


def test_responsible_use_says_only_what_is_known(contents, answered):
    plain, full = croissant(contents), croissant(answered)

    assert plain["rai:dataCollection"] == "Recorded from 2026-03 to 2026-05."
    assert "Answer on recruitment." in full["rai:dataCollection"]
    assert "rai:annotatorDemographics" not in plain
    assert full["rai:annotatorDemographics"] == "Answer on raters."
    assert any("one photograph" in text for text in plain["rai:dataBiases"])
    assert "skin temperature" in plain["rai:personalSensitiveInformation"]


def test_the_lab_s_address_and_citation_are_taken_over(contents, answered):
    plain, full = croissant(contents), croissant(answered)

    assert "url" not in plain
    assert plain["citeAs"] == (
        "@misc{labfaces2026, title = {lab faces}, year = {2026}, note = {Version 1.2.0}}"
    )
    assert (full["url"], full["citeAs"]) == ("Answer on address.", "Answer on citation.")


def test_a_study_without_a_description_is_described_by_its_numbers(contents):
    document = croissant(replace(contents, study={**contents.study, "description": " "}))

    assert document["description"].startswith("Faces of 3 subjects in color, depth and thermal")
