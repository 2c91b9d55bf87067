"""Files that are broken, or made to break: each ends in a clear report, soon and in little memory."""

import time

import pytest

from services.planner.intake.csv_rows import MOST_COLUMNS, CsvError, CsvFile, Options, Reject, Row
from shared.address_keys import AddressKeys
from shared.contracts.records import KINDS

HEAD = b"email,name,note\n"
WHOLE = {
    "an encoding that is another": (HEAD + b"a@x.example,Zo\xeb,\n", "encoding_wrong", 2),
    "half a character at the end": (HEAD + b"a@x.example,Zo\xc3", "encoding_wrong", 2),
    "UTF-16 without its mark": ("email\na@x.example\n".encode("utf-16-le"), "nul_byte", 1),
    "a NUL byte": (HEAD + b"a@x.example,A\0nn,\n", "nul_byte", 2),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "encoding_wrong", 1),
    "a quote that is never closed": (
        HEAD + b'a@x.example,"Ann,\n' + b"b@x.example,Bob,\n" * 9_000,
        "field_too_large",
        2,
    ),
    "the same at the end": (HEAD + b'a@x.example,Ann,"\n', "quote_unclosed", 2),
    "100,000 columns": (b"email" + b",x" * 100_000 + b"\n", "too_many_columns", 1),
    "100,000 columns of different names": (
        b"email," + b",".join(b"c%d" % n for n in range(100_000)) + b"\n",
        "too_many_columns",
        1,
    ),
    "one line without an end": (b"x" * 5_000_000, "line_too_long", 1),
    "nothing": (b"", "file_empty", 1),
    "no column of addresses": (b"a,b\n1,2\n", "email_missing", 1),
    "one column twice": (b"email,City,city\n", "header_duplicate", 1),
}


@pytest.mark.parametrize("what", WHOLE)
def test_a_file_that_is_none_is_refused_with_its_line(what: str) -> None:
    """By a code that is documented, the line, and a message a person can read to the end; in no time."""
    content, code, line = WHOLE[what]
    parts = [content[start : start + 65_536] for start in range(0, len(content), 65_536)]
    began = time.process_time()
    with pytest.raises(CsvError) as raised:
        list(CsvFile(parts, Options()))
    assert (raised.value.code, raised.value.line) == (code, line)
    assert len(str(raised.value)) < 700
    assert time.process_time() - began < 3


ROWS = {
    "a formula": (b"a@x.example,=HYPERLINK(1),@SUM(A1)", {"note": "@SUM(A1)"}),
    "an address of another script": ("δοκιμή@bücher.example,D,".encode(), {"note": ""}),
    "a command in the address": (b"=cmd|calc!A1@,x,", "email"),
    "a header in the address": (b'"a@x.example\r\nBcc: b@x.example",x,', "email"),
    "rows of another width": (b"a@x.example,x", ""),
    "a name without end": (b"a@x.example," + b"n" * 301 + b",", "name"),
    "a note without end": (b"a@x.example,n," + b"n" * 10_001, "note"),
}


@pytest.mark.parametrize("what", ROWS)
def test_a_row_is_taken_as_it_is_or_rejected_by_its_column(what: str) -> None:
    """What is text stays text, a formula too; what cannot be is named, and the next row goes in."""
    row, wanted = ROWS[what]
    first, second = CsvFile([HEAD + row + b"\nb@x.example,Bob,\n"], Options())
    assert isinstance(second, Row)
    if isinstance(wanted, str):
        assert isinstance(first, Reject)
        assert (first.column, bool(first.reason)) == (wanted, True)
        assert len(first.value) <= 254
    else:
        assert isinstance(first, Row)
        assert first.fields == wanted


def test_addresses_that_are_the_same_have_one_key() -> None:
    """Whatever the case, and whether the domain is spelled by its letters or as A-labels."""
    rows = "Ann@Bücher.example\nANN@bücher.EXAMPLE\nann@xn--bcher-kva.example\n".encode()
    found = [row for row in CsvFile([b"email\n" + rows], Options()) if isinstance(row, Row)]
    assert len(found) == 3
    assert len({AddressKeys(b"p" * 32).of(row.address) for row in found}) == 1


def test_what_a_record_is_is_checked() -> None:
    """Kind, language and time zone: as they are, or rejected by their column with what they can be."""
    head = b"email,Kind,language,time_zone\n"
    good = b"a@x.example,Lead,pt-BR,Europe/Athens\nb@x.example,,,\nc@x.example,vendor,el,UTC\n"
    bad = b"d@x.example,no kind,,\ne@x.example,,Greek!,\nf@x.example,,,Mars/Base\ng@x.example,,,../etc/passwd\n"
    rows = list(CsvFile([head + good + bad], Options(kinds=(*KINDS, "vendor"))))
    assert [row.fields["kind"] for row in rows if isinstance(row, Row)] == ["lead", "", "vendor"]
    rejected = [(row.line, row.column) for row in rows if isinstance(row, Reject)]
    assert rejected == [(5, "Kind"), (6, "language"), (7, "time_zone"), (8, "time_zone")]
    unknown = [row for row in CsvFile([head + good], Options()) if isinstance(row, Reject)]
    assert [(row.line, row.column) for row in unknown] == [(4, "Kind")]
    assert MOST_COLUMNS >= 100
