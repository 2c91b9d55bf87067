"""A CSV file, part by part, as rows: memory holds one part, whatever the size of the file.

In come the parts as bytes; out come `Row`s and `Reject`s in the order of the file, each with its line. What is wrong
with one row rejects that row; what makes the rest of the file unreadable (encoding, NUL, a quote that is not closed, a
header without an address) raises `CsvError` with the line. Same bytes, same rows: an import resumes by counting them.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from shared.addresses import AddressError, parse
from shared.contracts.records import KINDS, WELL_KNOWN, tidied

LONGEST_FIELD = 10_000
LONGEST_NAME = 300
LONGEST_ROW = 48_000
LONGEST_LINE = 4_000_000
MOST_COLUMNS = 1_000
_SHOWN = 500
DELIMITERS = ",;\t"

ADDRESS = "email"
NAME = "name"
_ALIASES = {"email": ADDRESS, "e-mail": ADDRESS, "mail": ADDRESS, "email address": ADDRESS, "e-mail address": ADDRESS}
_ALIASES |= {"name": NAME, "full name": NAME}
_ALIASES |= {f"{mail}{slot}": f"email{slot}" for mail in ("e-mail", "email ", "e-mail ") for slot in (2, 3)}
PERSON_SLOT = 4
_PERSON = re.compile(r"person[2-9]?\.(email|name)")
"""Columns of contact persons: `person.email` and `person.name`, `person2.email` and so on."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_UNFIT = re.compile(r"[^\w.-]+")


class CsvError(ValueError):
    """The file cannot be imported; `line` is 1-based, `column` the header at fault or ""."""

    def __init__(self, code: str, message: str, line: int, column: str = "") -> None:
        super().__init__(f"line {line}: {message}")
        self.code = code
        self.message = message
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class Options:
    """How to read the file; see `commands.ImportContacts`. `kinds`: of records that are known."""

    encoding: str = ""
    delimiter: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    kinds: Sequence[str] = KINDS


class Row(NamedTuple):
    """One contact.

    Attributes:
        name: None where the file has no such column.
        slot: Which address of its customer it is.
        first: The first address of the customer, where the row has several.
    """

    line: int
    address: str
    name: str | None
    fields: dict[str, str]
    slot: int = 1
    first: str = ""


class Reject(NamedTuple):
    """One row that was left out."""

    line: int
    column: str
    reason: str
    value: str


@dataclass(frozen=True, slots=True)
class Header:
    """The first line: names as they stand, and the field each column goes to ("" is left out).

    `kinds`: of records that are known.
    """

    names: list[str]
    targets: list[str]
    kinds: Sequence[str] = KINDS

    @property
    def fields(self) -> list[str]:
        """The merge fields of the file."""
        return [target for target in self.targets if target not in ("", ADDRESS, NAME) and not _of_further(target)]

    @property
    def further(self) -> list[tuple[int, int, int | None]]:
        """Columns of further addresses: where each stands, its slot, and where its name stands."""
        found: list[tuple[int, int, int | None]] = []
        for at, target in enumerate(self.targets):
            if target.endswith(".email") and _of_further(target):
                name = target.removesuffix("email") + "name"
                found.append((at, PERSON_SLOT, self.targets.index(name) if name in self.targets else None))
            elif _of_further(target) and not target.endswith(".name"):
                found.append((at, int(target[-1]), None))
        return found


def _of_further(target: str) -> bool:
    return target in ("email2", "email3") or _PERSON.fullmatch(target) is not None


class _Lines:
    """Lines with their ends, from bytes; never splits on anything but CR and LF."""

    def __init__(self, parts: Iterable[bytes], wanted: str) -> None:
        pieces = iter(parts)
        head = b""
        for piece in pieces:
            head += piece
            if len(head) >= len(codecs.BOM_UTF8):
                break
        self._texts = _decoded(head, pieces, encoding_of(head, wanted))
        self._ready: Iterator[str] = iter(())
        self._carry = ""
        self.first = next(self, "")
        self._ready = iter((self.first, *self._ready)) if self.first else self._ready

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = next(self._ready, None)
        while line is None:
            text = next(self._texts, None)
            if text is None:
                line, self._carry = self._carry, ""
                if not line:
                    raise StopIteration
                return line
            lines = list(io.StringIO(self._carry + text, newline=""))
            # a last line without an end, or one that ends in CR (a LF may follow), waits for the next part
            self._carry = lines.pop() if lines and not lines[-1].endswith("\n") else ""
            self._ready = iter(lines)
            line = next(self._ready, None)
        return line


def _decoded(head: bytes, pieces: Iterator[bytes], encoding: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    offset, line, unbroken = 0, 1, 0
    for piece, last in _with_last(head, pieces):
        before = len(decoder.getstate()[0])
        try:
            text = decoder.decode(piece, last)
        except UnicodeDecodeError as error:  # refused: guessing an encoding would garble names
            at = offset - before + error.start
            line += error.object[: error.start].count(b"\n")
            message = f"byte {at} is not {error.encoding}; name the encoding of the file, e.g. windows-1252"
            raise CsvError("encoding_wrong", message, line) from error
        except UnicodeError as error:  # codecs of host names and the like
            raise CsvError("encoding_wrong", f"is not {encoding}: {error}", line) from error
        if not text.isascii() and (half := _SURROGATE.search(text)):  # some codecs let halves of characters through
            line += text.count("\n", 0, half.start())
            raise CsvError("encoding_wrong", f"is not {encoding}: half a character", line)
        offset += len(piece)
        nul = text.find("\0")
        if nul >= 0:
            raise CsvError("nul_byte", "holds a NUL byte: it is no text file", line + text.count("\n", 0, nul))
        breaks = text.count("\n")
        unbroken = 0 if breaks or "\r" in text else unbroken + len(text)
        if unbroken > LONGEST_LINE:
            raise CsvError("line_too_long", f"is longer than {LONGEST_LINE} characters", line)
        line += breaks
        yield text


def _with_last(head: bytes, pieces: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    for piece in pieces:
        yield head, False
        head = piece
    yield head, True


def encoding_of(head: bytes, wanted: str) -> str:
    """Return the codec for a file that begins with `head`; `CsvError` where there is none of that name."""
    found = next((name for bom, name in _BOMS if head.startswith(bom)), "utf-8")
    if not wanted:
        return found
    try:
        info = codecs.lookup(wanted)
        "".encode(info.name)
    except LookupError as error:  # refused: unknown, or no encoding of text
        raise CsvError("encoding_unknown", f"there is no encoding {wanted!r}", 1) from error
    return found if info.name == "utf-8" and found == "utf-8-sig" else info.name


def _delimiter(first: str, wanted: str) -> str:
    if wanted in ('"', "\r", "\n", " "):
        raise CsvError("delimiter_invalid", f"{wanted!r} cannot separate columns", 1)
    bare = re.sub(r'"[^"]*"', "", first)
    return wanted or max(DELIMITERS, key=bare.count)


def normal(name: str) -> str:
    """Return the field name for a header: lower case, spaces as underscores, nothing a placeholder cannot spell."""
    return _UNFIT.sub("_", name.strip().lower()).strip("_.-")[:64]


def header_of(names: list[str], columns: Mapping[str, str], kinds: Sequence[str] = KINDS) -> Header:
    """Return the header with the field of each column.

    Raises:
        CsvError: It cannot be used.
    """
    folded = [name.casefold() for name in names]
    asked = {name.strip().casefold(): target for name, target in columns.items()}
    for name in columns:
        if name.strip().casefold() not in folded:
            raise CsvError("column_missing", f"there is no column {name!r}: {', '.join(names)[:_SHOWN]}", 1, name)
    targets = [
        asked[fold] if fold in asked else _ALIASES.get(fold) or normal(name)
        for name, fold in zip(names, folded, strict=True)
    ]
    targets = [target if target in (ADDRESS, NAME) else normal(target) for target in targets]
    for place, target in enumerate(targets):
        if target and target in targets[:place]:
            first = names[targets.index(target)]
            message = f"column {names[place]!r} comes twice ({first!r} means the same field {target!r})"
            raise CsvError("header_duplicate", message, 1, names[place])
    if ADDRESS not in targets:
        message = f"no column holds the address; the file has: {', '.join(names)[:_SHOWN]}"
        raise CsvError("email_missing", message, 1, ADDRESS)
    return Header(names, targets, kinds)


class CsvRecords:
    """The records of one file with their lines, the header apart; iterate once.

    Attributes:
        delimiter: What separates its columns.
        names: The header.
    """

    def __init__(self, parts: Iterable[bytes], options: Options) -> None:
        """Read as far as the header.

        Raises:
            CsvError: There is none, or it cannot be read.
        """
        lines = _Lines(parts, options.encoding)
        self.delimiter = _delimiter(lines.first, options.delimiter)
        self._reader = csv.reader(lines, delimiter=self.delimiter, strict=True)
        for _, record in self:
            if isinstance(record, Reject):
                raise CsvError("header_invalid", record.reason, 1)
            if len(record) > MOST_COLUMNS:
                message = f"has {len(record)} columns, {MOST_COLUMNS} is the most: is the delimiter right?"
                raise CsvError("too_many_columns", message, 1)
            self.names = [name.strip() for name in record]
            return
        raise CsvError("file_empty", "the file is empty: a header line is needed", 1)

    def __iter__(self) -> Iterator[tuple[int, list[str] | Reject]]:
        """Yield every record that follows, or why it cannot be read.

        Raises:
            CsvError: The file cannot be read on.
        """
        reader = self._reader
        while True:
            line = reader.line_num + 1
            try:
                record = next(reader, None)
            except csv.Error as error:  # rejected, or the file refused where it cannot be read on
                yield line, _unreadable(str(error), line, reader.line_num)
                continue
            if record is None:
                return
            if record:
                yield line, record


class CsvFile:
    """One file; iterate once, after `header` was looked at."""

    def __init__(self, parts: Iterable[bytes], options: Options) -> None:
        """Read as far as the header.

        Raises:
            CsvError: The header cannot be used.
        """
        self._records = CsvRecords(parts, options)
        self.header = header_of(self._records.names, options.columns, options.kinds)

    def __iter__(self) -> Iterator[Row | Reject]:
        """Yield every row of the file in order.

        Raises:
            CsvError: The file cannot be read on.
        """
        return rows_of(self._records, self.header)


def rows_of(records: Iterable[tuple[int, list[str] | Reject]], header: Header) -> Iterator[Row | Reject]:
    """Yield what each record is."""
    names, targets = header.names, header.targets
    width, address_at = len(names), targets.index(ADDRESS)
    name_at = targets.index(NAME) if NAME in targets else None
    wanted = set(header.fields)
    merged = [(at, target) for at, target in enumerate(targets) if target in wanted]
    known = [(at, target) for at, target in merged if target in WELL_KNOWN]
    further = header.further
    for line, record in records:
        if isinstance(record, Reject):
            yield record
        elif len(record) != width:
            yield Reject(line, "", f"has {len(record)} columns instead of {width}", "")
        else:
            long = _too_long(line, record, names, name_at)
            if long is not None:
                yield long
                continue
            raw = record[address_at].strip()
            try:
                address = parse(raw)
            except AddressError as error:  # rejected with the reason; the next row goes on
                reason = str(error) if raw else "has no address"
                yield Reject(line, names[address_at], reason, raw[:254])
                continue
            for at, target in known:
                try:
                    record[at] = tidied(target, record[at].strip(), header.kinds)
                except ValueError as error:  # rejected with the reason; the next row goes on
                    yield Reject(line, names[at], str(error), record[at].strip()[:100])
                    break
            else:
                name = None if name_at is None else " ".join(record[name_at].split())
                row = Row(line, address, name, {target: record[at].strip() for at, target in merged})
                if further:
                    yield from _all_of(row, record, names, further)
                else:
                    yield row


def _all_of(
    row: Row, record: list[str], names: list[str], further: list[tuple[int, int, int | None]]
) -> Iterator[Row | Reject]:
    """Yield the contacts of a row with several addresses; a further one that cannot be is left out alone."""
    given = [(at, slot, name_at, raw) for at, slot, name_at in further if (raw := record[at].strip())]
    yield row._replace(first=row.address) if given else row
    for at, slot, name_at, raw in given:
        try:
            address = parse(raw)
        except AddressError as error:  # rejected with the reason; the others go on
            yield Reject(row.line, names[at], str(error), raw[:254])
            continue
        name = row.name if name_at is None else " ".join(record[name_at].split())[:LONGEST_NAME]
        yield row._replace(address=address, name=name, slot=slot, first=row.address)


def _unreadable(error: str, first: int, last: int) -> Reject:
    if "field limit" in error:
        message = f"a field is longer than {csv.field_size_limit()} characters; is a quote not closed?"
        raise CsvError("field_too_large", message, first)
    if "end of data" in error or last > first:
        raise CsvError("quote_unclosed", "a quoted field that begins here is not closed", first)
    return Reject(first, "", f"cannot be read: {error}", "")


def _too_long(line: int, record: list[str], names: list[str], name_at: int | None) -> Reject | None:
    total = sum(map(len, record))
    if total <= LONGEST_NAME:
        return None
    for at, value in enumerate(record):
        most = LONGEST_NAME if at == name_at else LONGEST_FIELD
        if len(value) > most:
            return Reject(line, names[at], f"is longer than {most} characters", value[:100])
    if total > LONGEST_ROW // 4 and len("".join(record).encode()) > LONGEST_ROW:
        return Reject(line, "", f"the row is longer than {LONGEST_ROW} bytes", "")
    return None
