"""What a CSV file may be, and what is said of one that may not."""

import csv
import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.planner.intake.csv_rows import CsvError, CsvFile, Options, Reject, Row


def read(content: bytes, options: Options | None = None, size: int = 7) -> list[Row | Reject]:
    """Read a file that comes in small parts."""
    parts = [content[start : start + size] for start in range(0, len(content), size)]
    return list(CsvFile(parts, options or Options()))


def problem(content: bytes, options: Options | None = None) -> CsvError:
    """Return why a file is refused."""
    with pytest.raises(CsvError) as error:
        read(content, options, 1000)
    return error.value


@pytest.mark.parametrize(
    "content",
    [
        "E-Mail;Jméno\nann@x.example;Žofie\n".encode(),
        "E-Mail;Jméno\nann@x.example;Žofie\n".encode("utf-8-sig"),
        "E-Mail\tJméno\r\nann@x.example\tŽofie\r\n".encode("utf-16"),
        b"\xfe\xff" + "E-Mail,Jméno\rann@x.example,Žofie".encode("utf-16-be"),
    ],
)
def test_encoding_delimiter_and_line_ends_are_detected(content: bytes) -> None:
    """UTF-8 with and without BOM, UTF-16; comma, semicolon, tab; LF, CRLF, CR."""
    assert read(content) == [Row(2, "ann@x.example", None, {"jméno": "Žofie"})]


def test_an_encoding_that_is_named_is_honoured() -> None:
    """Without the name the byte and the line at fault are told."""
    content = "email,name\na@x.example,Ann\nb@x.example,Žofie\n".encode("cp1250")
    error = problem(content)
    assert (error.code, error.line) == ("encoding_wrong", 3)
    assert f"byte {content.index(0x8E)} " in error.message
    rows = read(content, Options(encoding="windows-1250"))
    assert rows[1] == Row(3, "b@x.example", "Žofie", {})
    assert problem(content, Options(encoding="klingon")).code == "encoding_unknown"


@pytest.mark.parametrize(
    ("encoding", "cell"), [("unicode_escape", rb"\ud800"), ("utf-7", b"+2AA-"), ("punycode", b"-\xc3\xa4")]
)
def test_codecs_that_let_through_what_is_no_text_are_refused_at_their_line(encoding: str, cell: bytes) -> None:
    """Half a character could be written nowhere, neither to a pipe nor to a database."""
    error = problem(b"email,name\na@x.example,Ann\nb@x.example," + cell + b"\n", Options(encoding=encoding))
    assert error.code == "encoding_wrong"


@pytest.mark.parametrize(
    ("content", "code", "line", "column"),
    [
        (b"", "file_empty", 1, ""),
        (b"name,city\n", "email_missing", 1, "email"),
        (b"email,City,city\n", "header_duplicate", 1, "city"),
        (b"email,mail\n", "header_duplicate", 1, "mail"),
        (b"email,a\nx@x.example,\0\n", "nul_byte", 2, ""),
        (b"email,a\nx@x.example,b\ny@x.example," + b"z" * 1_000_000, "field_too_large", 3, ""),
        (b'email,a\nx@x.example,"b\ny@x.example,c\n', "quote_unclosed", 2, ""),
        (b'email,a\nx@x.example,"b\ny@x.example,"c"\n', "quote_unclosed", 2, ""),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_its_line(content: bytes, code: str, line: int, column: str) -> None:
    """The whole file, for the rest of it cannot be trusted."""
    error = problem(content)
    assert (error.code, error.line, error.column) == (code, line, column)


def test_a_bad_row_is_rejected_and_the_rest_goes_in() -> None:
    """With line, column, reason and what stood there."""
    content = (
        b"Email,Name,Note\n"
        b"ann@x.example,Ann,1\n"
        b"nobody,Nob,2\n"
        b",No,3\n"
        b"bob@x.example,Bob\n"
        b"cy@x.example,Cy,4,5\n"
        b'dee@x.example,"Dee"x,6\n'
        b"eve@x.example,Eve," + b"n" * 10_001 + b"\n"
        b'"fay@x.example","Fay, ""F""","two\nlines"\n'
    )
    rows = read(content)
    assert [row.line for row in rows] == [2, 3, 4, 5, 6, 7, 8, 9]
    assert [(row.line, row.column) for row in rows if isinstance(row, Reject)] == [
        (3, "Email"),
        (4, "Email"),
        (5, ""),
        (6, ""),
        (7, ""),
        (8, "Note"),
    ]
    assert rows[-1] == Row(9, "fay@x.example", 'Fay, "F"', {"note": "two\nlines"})


def test_columns_are_mapped_as_asked() -> None:
    """Names do not depend on case; a mapped column that is not there is refused; an empty target leaves it out."""
    content = b"Kontakt,Vorname,Intern\nx@x.example,Ann,1\n"
    options = Options(columns={"kontakt": "email", "VORNAME": "First Name", "Intern": ""})
    assert read(content, options) == [Row(2, "x@x.example", None, {"first_name": "Ann"})]
    assert problem(content, Options(columns={"mail": "email"})).column == "mail"


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


@given(st.lists(st.lists(TEXT, min_size=2, max_size=2), max_size=20), st.integers(1, 40), st.sampled_from(",;\t"))
def test_what_a_writer_wrote_is_read_however_it_is_cut(rows: list[list[str]], size: int, delimiter: str) -> None:
    """Quotes, line breaks and any characters survive any cut into parts."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerow(["email", "a", "b"])
    for at, row in enumerate(rows):
        writer.writerow([f"p{at}@x.example", *row])
    found = read(buffer.getvalue().encode(), Options(delimiter=delimiter), size)
    assert [row.fields for row in found if isinstance(row, Row)] == [{"a": a.strip(), "b": b.strip()} for a, b in rows]


def test_random_bytes_never_break_the_reader() -> None:
    """Whatever comes in, rows, rejects or a refusal come out."""
    chance = random.Random(7)
    for _ in range(2_000):
        content = b"email,a\n" + bytes(chance.choices(b'a@.x,"\n\r;\xc3\xa9\xff\0 \t', k=chance.randrange(60)))
        try:
            assert all(isinstance(row, Row | Reject) for row in read(content, size=5))
        except CsvError as error:
            assert error.line >= 1  # noqa: PT017 - most of them raise, some do not
