"""Hostile payloads, each with what must become of it, written by hand from the contract and not
from what kopru does.

Where the payload is accepted, the rows it becomes stand beside it as tables.said() shows rows:
without nulls and without an empty extra. Where it is a dead letter, its reason.
"""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]

MAX_MESSAGE_BYTES = 1048576
MAX_DEPTH = 64
# What the site refuses, so that the database has a say as well.
SITE_RULE = ("ALTER TABLE kopru.customers ADD CONSTRAINT site_rule "
             "CHECK (status <> 'forbidden' AND length(name) < 600000)")


@dataclass(frozen=True)
class Hostile:
    name: str
    body: bytes
    entity: str = "customer"
    root: Row | None = None  # None: a dead letter
    children: dict[str, list[Row]] = field(default_factory=dict)
    reason: str | None = None
    entity_id: str | None = None  # that the dead letter must show
    sqlstate: str | None = None
    properties: dict[str, Any] = field(default_factory=dict)  # of AMQP
    # columns of the dead letter, and of its properties
    kept: dict[str, Any] = field(default_factory=dict)

    @property
    def is_accepted(self) -> bool:
        return self.root is not None


class RawText(str):
    """A header of AMQP type string that holds these bytes."""

    def encode(self, *_args: object) -> bytes:
        return b"\xff\x00\xfe"


def _dead(name: str, body: bytes, reason: str, entity_id: str | None = None,
          **more: Any) -> Hostile:
    return Hostile(name, body, reason=reason, entity_id=entity_id, **more)


def _customer(entity_id: str, rest: str = "", root: Row | None = None, *, name: str | None = None,
              children: dict[str, list[Row]] | None = None, **more: Any) -> Hostile:
    """Accepted: rest is what follows the id in the body."""
    body = f'{{"id":{json.dumps(entity_id)}{"," if rest else ""}{rest}}}'
    return Hostile(name or entity_id, body.encode(),
                   root={"customer_id": entity_id, **(root or {})}, children=children or {}, **more)


def _bytes() -> Iterator[Hostile]:
    """Bytes that are no UTF-8, by kind."""
    bad = {
        "continuation-80": b"\x80", "continuation-bf": b"\xbf", "overlong-2-c0": b"\xc0\xaf",
        "overlong-2-c1": b"\xc1\xbf",
        "overlong-2-nul": b"\xc0\x80", "overlong-3": b"\xe0\x80\xaf",
        "overlong-3-most": b"\xe0\x9f\xbf",
        "overlong-4": b"\xf0\x80\x80\xaf", "overlong-4-most": b"\xf0\x8f\xbf\xbf",
        "surrogate-high": b"\xed\xa0\x80",
        "surrogate-low": b"\xed\xbf\xbf", "surrogate-pair-cesu": b"\xed\xa0\xbd\xed\xb8\x80",
        "beyond-10ffff": b"\xf4\x90\x80\x80",
        "lead-f5": b"\xf5\x80\x80\x80", "five-bytes": b"\xf8\x88\x80\x80\x80",
        "six-bytes": b"\xfc\x84\x80\x80\x80\x80",
        "byte-fe": b"\xfe", "byte-ff": b"\xff", "cut-2": b"\xc4", "cut-3-after-1": b"\xe2",
        "cut-3-after-2": b"\xe2\x82",
        "cut-4-after-3": b"\xf0\x9f\x98", "latin-5": "ş".encode("iso-8859-9"),
        "twice-encoded-and-cut": "Åž".encode()[:-1],
    }
    for name, raw in bad.items():
        yield _dead(f"utf8-{name}", b'{"id":"u-' + name.encode() + b'","name":"A' + raw + b'B"}',
                    "invalid_unicode")
    yield _dead("utf8-in-name", b'{"id":"u1","\xff":1}', "invalid_unicode")
    yield _dead("utf8-in-id", b'{"id":"\xc3"}', "invalid_unicode")
    yield _dead("utf8-after-the-end", b'{"id":"u2"}\xff', "invalid_unicode")
    yield _dead("utf8-cut-by-the-end", b'{"id":"u3","name":"\xf0\x9f', "invalid_unicode")
    yield _dead("utf8-before-not-json", b'\xff{"id":', "invalid_unicode")
    yield _dead("utf8-after-not-json", b'{{{{\xff', "invalid_unicode")
    yield _dead("utf8-after-too-deep", b"[" * 100 + b"\xff", "invalid_unicode")
    yield _dead("utf-16-le", b"\xff\xfe" + '{"id":"u4"}'.encode("utf-16-le"), "invalid_unicode")
    yield _dead("utf-16-be-unmarked", '{"id":"u5"}'.encode("utf-16-be"), "not_json")
    yield _dead("utf-32-le", b"\xff\xfe\0\0" + '{"id":"u6"}'.encode("utf-32-le"), "invalid_unicode")
    yield _dead("all-bytes", bytes(range(256)), "invalid_unicode")


def _marks_and_nuls() -> Iterator[Hostile]:
    bom = b"\xef\xbb\xbf"
    yield Hostile("bom", bom + b'{"id":"bom","name":"A"}', root={"customer_id": "bom", "name": "A"})
    yield _dead("bom-alone", bom, "not_json")
    yield _dead("bom-twice", bom + bom + b'{"id":"x"}', "not_json")
    yield _dead("bom-inside", b'{"id":' + bom + b'"x"}', "not_json")
    yield _dead("bom-after", b'{"id":"x"}' + bom, "not_json")
    yield _customer("bom-in-a-value", '"name":"\ufeffA\ufeff"', {"name": "\ufeffA\ufeff"})
    yield _dead("nul-alone", b"\0", "not_json")
    yield _dead("nul-first", b'\0{"id":"n1"}', "not_json")
    yield _dead("nul-last", b'{"id":"n2"}\0', "not_json")
    yield _dead("nul-between", b'{"id":\0"n3"}', "not_json")
    yield _dead("nul-in-string", b'{"id":"n4","name":"A\0B"}', "not_json")
    yield _dead("nul-in-id", b'{"id":"n5\0"}', "not_json")
    yield _dead("nul-escaped", b'{"id":"n6","name":"\\u0000"}', "contains_nul")
    yield _dead("nul-escaped-in-id", b'{"id":"\\u0000"}', "contains_nul")
    yield _dead("nul-escaped-in-name", b'{"id":"n7","a\\u0000b":1}', "contains_nul")
    yield _dead("nul-escaped-deep", b'{"id":"n8","x":[{"y":["\\u0000"]}]}', "contains_nul")
    yield _dead("nul-escaped-in-overwritten", b'{"id":"n9","name":"\\u0000","name":"A"}',
                "contains_nul")
    yield _customer("nul-backslash-escaped", r'"name":"\\u0000"', {"name": r"\u0000"})
    yield _dead("nul-before-surrogate", b'{"id":"na","name":"\\ud800\\u0000"}', "contains_nul")
    yield _dead("nul-in-array", b'["\\u0000"]', "contains_nul")
    yield _dead("nul-without-id", b'{"name":"\\u0000"}', "contains_nul")


def _surrogates() -> Iterator[Hostile]:
    for name, text in {"high": "\\ud83d", "high-then-letter": "\\ud83dA", "low": "\\uDE00",
                       "swapped": "\\ude00\\ud83d",
                       "two-high": "\\ud83d\\ud83d", "high-then-escape": "\\ud83d\\n",
                       "high-then-other": "\\ud83d\\u0041",
                       "last": "\\udfff", "first": "\\ud800"}.items():
        yield _dead(f"surrogate-{name}", f'{{"id":"s-{name}","name":"{text}"}}'.encode(),
                    "invalid_unicode")
    yield _dead("surrogate-in-name", b'{"id":"s1","\\ud800":1}', "invalid_unicode")
    yield _dead("surrogate-in-id", b'{"id":"\\udc00"}', "invalid_unicode")
    yield _dead("surrogate-in-bag",
                b'{"id":"s2","contactMedium":[{"characteristic":{"city":"\\ud800"}}]}',
                "invalid_unicode")
    yield _dead("surrogate-alone-as-body", b'"\\ud800"', "invalid_unicode")
    yield _dead("surrogate-without-id", b'{"x":"\\ud800"}', "invalid_unicode")
    yield _customer("surrogate-pair", r'"name":"\ud83d\ude00"', {"name": "😀"})


def _syntax() -> Iterator[Hostile]:
    wrong = {
        "empty": b"", "blank": b" ", "blanks": b" \t\r\n ", "trailing-comma": b'{"id":"j",}',
        "trailing-comma-array": b'{"id":"j","x":[1,]}',
        "leading-comma": b'{,"id":"j"}', "double-comma": b'{"id":"j",,"x":1}',
        "line-comment": b'{"id":"j"} // c',
        "block-comment": b'{"id":"j"/* c */}', "hash-comment": b'{"id":"j"} # c',
        "nan": b'{"id":"j","x":NaN}',
        "infinity": b'{"id":"j","x":Infinity}', "minus-infinity": b'{"id":"j","x":-Infinity}',
        "single-quotes": b"{'id':'j'}",
        "single-quoted-value": b"{\"id\":'j'}", "second-document": b'{"id":"j"}{"id":"k"}',
        "second-line": b'{"id":"j"}\n{"id":"k"}',
        "trailing-text": b'{"id":"j"} x', "bare-name": b'{id:"j"}', "bare-value": b'{"id":j}',
        "hexadecimal": b'{"id":"j","x":0x1F}',
        "plus": b'{"id":"j","x":+1}', "leading-point": b'{"id":"j","x":.5}',
        "trailing-point": b'{"id":"j","x":5.}',
        "leading-zero": b'{"id":"j","x":01}', "leading-zero-id": b'{"id":007}',
        "minus-alone": b'{"id":"j","x":-}',
        "exponent-cut": b'{"id":"j","x":1e}', "underscore": b'{"id":"j","x":1_000}',
        "hex-escape": b'{"id":"j","x":"\\x41"}',
        "short-escape": b'{"id":"j","x":"\\u12"}', "bad-escape": b'{"id":"j","x":"\\q"}',
        "escaped-quote-only": b'{"id":"j\\"}',
        "capital-true": b'{"id":"j","x":True}', "undefined": b'{"id":"j","x":undefined}',
        "no-colon": b'{"id" "j"}',
        "equals": b'{"id"="j"}', "not-closed": b'{"id":"j"', "string-not-closed": b'{"id":"j',
        "wrong-bracket": b'{"id":["j"}',
        "closed-twice": b'{"id":"j"}}', "number-name": b'{1:2,"id":"j"}',
        "raw-newline": b'{"id":"j","x":"a\nb"}',
        "raw-tab": b'{"id":"j","x":"a\tb"}', "raw-1f": b'{"id":"j","x":"a\x1fb"}',
        "raw-01-in-name": b'{"id":"j","a\x01":1}',
        "vertical-tab": b'{"id":\x0b"j"}', "form-feed": b'\x0c{"id":"j"}',
        "no-break-space": '{"id":\u00a0"j"}'.encode(),
        "next-line": '{"id":\u0085"j"}'.encode(), "line-separator": '{"id":"j"}\u2028'.encode(),
        "ideographic-space": '\u3000{"id":"j"}'.encode(),
        "zero-width-space": '{"id":\u200b"j"}'.encode(), "xml": b"<id>j</id>",
        "yaml": b"id: j", "form": b"id=j&name=x", "base64-of-json": b"eyJpZCI6ImoifQ==",
        "backslash": b"\\", "smart-quotes": '{“id”:“j”}'.encode(),
    }
    for name, body in wrong.items():
        yield _dead(f"not-json-{name}", body, "not_json")
    yield Hostile("whitespace-of-json",
                  b' \t\r\n{\n"id"\t:\r"whitespace-of-json" , "name" :"A"} \n', root={
        "customer_id": "whitespace-of-json", "name": "A"})
    yield _customer("del-7f", '"name":"a\x7fb"', {"name": "a\x7fb"})
    yield _customer("escaped-controls", r'"name":"\u0001\u001f\b\f\n\r\t\/\\\""',
                    {"name": '\x01\x1f\b\f\n\r\t/\\"'})


def _shape() -> Iterator[Hostile]:
    for name, body in {"array": b'[{"id":"o"}]', "empty-array": b"[]", "string": b'"{\\"id\\":1}"',
                       "number": b"42", "huge-number": b"1e999999999",
                       "true": b"true", "null": b"null"}.items():
        yield _dead(f"not-object-{name}", body, "not_object")
    for name, body in {"absent": b'{"name":"x"}', "null": b'{"id":null}', "empty-object": b"{}",
                       "other-case": b'{"ID":"x","Id":"y"}',
                       "deeper": b'{"customer":{"id":"x"}}', "null-last": b'{"id":"x","id":null}',
                       "before-structure": b'{"contactMedium":7}'}.items():
        yield _dead(f"missing-id-{name}", body, "missing_id")
    for name, value in {"fraction": "1.0", "exponent": "1e5", "capital-exponent": "1E5",
                        "minus-fraction": "-0.5", "true": "true",
                        "false": "false", "object": '{"x":"y"}', "array": '["x"]', "empty": '""',
                        "empty-array": "[]", "bytes-256": f'"{"x" * 256}"',
                        "bytes-256-of-128-letters": '"' + "İ" * 128 + '"',
                        "bytes-1000000": f'"{"x" * 1000000}"'}.items():
        yield _dead(f"invalid-id-{name}", f'{{"id":{value}}}'.encode(), "invalid_id")
    yield _dead("invalid-id-before-structure", b'{"id":[],"contactMedium":7}', "invalid_id")
    yield _dead("invalid-id-last-of-two", b'{"id":"x","id":1.5}', "invalid_id")
    for name, value in {"number": "7", "string": '"x"', "empty-string": '""', "true": "true",
                        "false": "false", "zero": "0"}.items():
        yield _dead(f"structure-{name}", f'{{"id":"st-{name}","contactMedium":{value}}}'.encode(),
                    "invalid_structure", f"st-{name}")
    yield _dead("structure-subscription", b'{"id":"st-1","characteristic":[],"properties":"x"}',
                "invalid_structure", "st-1", entity="subscription")
    yield _dead("site-rule",
                b'{"id":"st-2","status":"forbidden","contactMedium":[{"mediumType":"A"}]}',
                "rejected_by_database", "st-2", sqlstate="23514")


def _ids() -> Iterator[Hostile]:
    for name, literal, stored in [("minus-zero", "-0", "-0"), ("zero", "0", "0"),
                                  ("negative", "-17", "-17"),
                                  ("forty-digits", "9" * 40, "9" * 40),
                                  ("beyond-64-bits", "18446744073709551616",
                                   "18446744073709551616")]:
        yield Hostile(f"id-{name}", f'{{"id":{literal}}}'.encode(), root={"customer_id": stored})
    texts = {
        "bytes-255": "y" * 255, "bytes-255-of-letters": "İ" * 127 + "x", "blank": " ",
        "blanks-around": " 7 ", "newline": "\n", "tab": "\t",
        "control": "\x01", "del": "\x7f", "line-separator": "\u2028", "noncharacter": "\uffff",
        "last-code-point": "\U0010ffff",
        "right-to-left": "\u202etxt.exe", "composed": "\u00e9", "decomposed": "e\u0301",
        "ligature": "\ufb01", "dotless": "ı",
        "dotted": "İ", "sql": "1'; DROP TABLE kopru.customers; --", "quote": "'",
        "double-quote": '"', "backslash": "\\", "null-word": "NULL",
        "copy-null": "\\N", "copy-end": "\\.", "array": '{"a",b}', "parameter": "$1",
        "percent": "%s%n", "like": "%_", "path": "../../etc/passwd",
        "number-as-text": "1e5", "minus": "-", "json": '{"id":1}',
        "html": "<script>alert(1)</script>", "crlf": "a\r\nSet-Cookie: b",
        "escape-sequence": "\x1b[2J", "emoji": "👩‍👩‍👧", "private-use": "\ue000",
    }
    for name, text in texts.items():
        yield _customer(text, name=f"id-{name}")
    yield Hostile("id-escaped-name", b'{"\\u0069d":"id-escaped-name"}',
                  root={"customer_id": "id-escaped-name"})


def _duplicates() -> Iterator[Hostile]:
    yield Hostile("duplicate-id", b'{"id":"first","id":"duplicate-id"}',
                  root={"customer_id": "duplicate-id"})
    yield Hostile("duplicate-id-escaped", b'{"id":"first","\\u0069\\u0064":"duplicate-id-escaped"}',
                  root={
        "customer_id": "duplicate-id-escaped"})
    yield Hostile("duplicate-id-bad-first", b'{"id":[1.5],"id":"duplicate-id-bad-first"}',
                  root={"customer_id": "duplicate-id-bad-first"})
    yield _customer("duplicate-name", '"name":"first","name":null,"name":"last"', {"name": "last"})
    yield _customer("duplicate-array", '"contactMedium":7,"contactMedium":[{"mediumType":"A"}]',
                    children={
        "contact_mediums": [{"position": 1, "medium_type": "A"}]})
    yield _dead("duplicate-array-scalar-last",
                b'{"id":"d1","contactMedium":[{"mediumType":"A"}],"contactMedium":7}',
                "invalid_structure", "d1")
    yield _customer("duplicate-unknown", '"x":{"a":1},"x":{"b":2}', {"extra": {"x": {"b": 2}}})
    yield _customer("thousand-times-the-same", ",".join(f'"x":{n}' for n in range(1000)),
                    {"extra": {"x": 999}})


def _nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


def _limits() -> Iterator[Hostile]:
    def padded(name: str, size: int) -> bytes:
        body = f'{{"id":"{name}"}}'.encode()
        return body + b" " * (size - len(body))

    yield Hostile("size-exact", padded("size-exact", MAX_MESSAGE_BYTES),
                  root={"customer_id": "size-exact"})
    yield _dead("size-and-one", padded("size-and-one", MAX_MESSAGE_BYTES + 1), "too_large")
    yield _dead("size-before-bytes", b"\xff" * (MAX_MESSAGE_BYTES + 1), "too_large")
    yield _dead("size-before-syntax", b"x" * (MAX_MESSAGE_BYTES + 2), "too_large")
    yield _dead("size-before-depth", b"[" * (MAX_MESSAGE_BYTES + 3), "too_large")
    deepest = MAX_DEPTH - 1  # the root is 1
    yield _customer("depth-64", f'"x":{"[" * deepest}{"]" * deepest}',
                    {"extra": {"x": _nested(deepest)}})
    yield _dead("depth-65", f'{{"id":"depth-65","x":{"[" * MAX_DEPTH}{"]" * MAX_DEPTH}}}'.encode(),
                "too_deep")
    yield _dead("depth-65-objects", b'{"id":"l1","x":' + b'{"y":' * 64 + b"1" + b"}" * 65,
                "too_deep")
    yield _dead("depth-in-element",
                b'{"id":"l2","contactMedium":[{"x":' + b"[" * 64 + b"]" * 64 + b"}]}", "too_deep")
    yield _dead("depth-million", b"[" * 1000000, "too_deep")
    yield _dead("depth-before-syntax", b'{"id":"l3","x":' + b"[" * 100 + b",,,", "too_deep")
    yield _dead("syntax-before-depth", b'{"id":,"x":' + b"[" * 100, "not_json")
    yield _dead("depth-before-nul", b'{"id":"\\u0000","x":' + b"[" * 64 + b"]" * 64 + b"}",
                "too_deep")
    yield _dead("syntax-before-nul", b'{"id":"\\u0000",}', "not_json")
    yield _dead("depth-before-not-object", b"[" * 65 + b"]" * 65, "too_deep")
    yield _dead("number-written-out", b'{"id":"l6","a":1e60000,"b":['
                + b",".join([b"-2E-60000"] * 20) + b"]}", "too_large")
    yield _dead("number-without-end", b'{"id":"l4","x":1e999999999}', "rejected_by_database", "l4",
                sqlstate="22003")
    yield _dead("number-without-end-small", b'{"id":"l5","x":-1E-99999999999999999999}',
                "rejected_by_database", "l5", sqlstate="22003")


def _numbers() -> Iterator[Hostile]:
    yield _customer("number-thirty-digits", f'"x":{"9" * 30}', {"extra": {"x": int("9" * 30)}})
    yield _customer("number-1e400", '"x":1e400', {"extra": {"x": 10**400}})
    yield _customer("number-minus-zero", '"x":-0', {"extra": {"x": 0}})
    yield _customer("number-as-text", '"name":1e400,"status":-0.10',
                    {"name": "1e400", "status": "-0.10"})
    many = "7" * 100000
    yield _customer("number-hundred-thousand-digits", f'"name":{many}', {"name": many})


def _texts() -> Iterator[Hostile]:
    texts = {
        "sql": "'; DROP TABLE kopru.customers; --",
        "dollar-quote": "$$; DELETE FROM kopru.customers; $$", "parameter": "$1 $2 %s %n %99999$s",
        "copy": "a\tb\nc\\.\n\\N\r\n", "array": '{"a",NULL,"b"}', "array-open": '{{{"',
        "backslashes": "\\\\\\", "quotes": "'\"`´’",
        "null-word": "NULL", "line-separators": "\u2028\u2029\u0085",
        "noncharacters": "\ufffe\uffff\ufdd0\U0001ffff\U0010fffe\U0010ffff",
        "composed-and-not": "é e\u0301 Å \u212b", "ligatures": "ﬁ ﷺ",
        "combining-flood": "a" + "\u0301" * 5000, "invisible": "\u200b\u200e\u2060\ufeff",
        "right-to-left": "\u202eabc\u202c\u2066x", "turkish": "İIıi ŞşĞğÇçÖöÜü",
        "emoji": "🏳️‍🌈👨‍👩‍👧‍👦", "tags": "\U000e0041\U000e007f",
        "controls": "".join(map(chr, range(1, 32))) + "\x7f\x80\x9f", "blank": " ",
        "long": "Ş" * 150000,
    }
    for name, text in texts.items():
        yield _customer(f"text-{name}", f'"name":{json.dumps(text)}', {"name": text})
    yield _dead("text-longer-than-the-site-allows", b'{"id":"t1","name":"' + b"x" * 700000 + b'"}',
                "rejected_by_database", "t1", sqlstate="23514")
    yield _customer("text-of-scalars", '"name":true,"status":12.50',
                    {"name": "true", "status": "12.50"})


def _names() -> Iterator[Hostile]:
    names: Row = {
        "": 1, " ": 2, "customer_id": "x", "extra": {"a": 1}, "payload_hash": "x",
        "updated_at": "now()", "source_time": None, "$.id": 3,
        "a.b": 4, "contactMedium[0]": 5, "__proto__": {"x": 1}, "'; --": 6, "\n": 7, "\u2028": 8,
        "\uffff": 9, "Name": 10, "é": 11, "e\u0301": 12, "x" * 300000: 13, "{}": [], "null": False,
    }
    stored = {name: value for name, value in names.items() if value is not None}
    yield _customer("names", json.dumps(names)[1:-1], {"extra": stored})
    yield _customer("names-twenty-thousand", ",".join(f'"n{n}":{n}' for n in range(20000)),
                    {"extra": {f"n{n}": n for n in range(20000)}})
    yield _customer("deep-arrays", '"x":[[[{"a":[[1,[2,[3,{"b":[null,[]]}]]]]}]]]', {
        "extra": {"x": [[[{"a": [[1, [2, [3, {"b": [None, []]}]]]]}]]]}})
    yield _customer("wide-array", f'"x":[{",".join("0" * 100000)}]', {"extra": {"x": [0] * 100000}})


def _children() -> Iterator[Hostile]:
    yield _customer("elements-broken",
                    '"contactMedium":[1,"x",null,[],[{}],true,{"mediumType":"A"}]', {
        "extra": {"contactMedium": [1, "x", None, [], [{}], True]}},
        children={"contact_mediums": [{"position": 1, "medium_type": "A"}]})
    yield _customer("elements-one-object", '"contactMedium":{"mediumType":"A"}', children={
        "contact_mediums": [{"position": 1, "medium_type": "A"}]})
    yield _customer("elements-empty-objects", '"contactMedium":[{},{}]',
                    children={"contact_mediums": [{"position": 1}, {"position": 2}]})
    yield _customer("elements-five-thousand", f'"contactMedium":[{",".join(["{}"] * 5000)}]',
                    children={
        "contact_mediums": [{"position": n} for n in range(1, 5001)]})
    yield _customer("elements-odd-values",
                    '"contactMedium":[{"mediumType":{"a":1},"preferred":1,"characteristic":7,'
                    '"validFor":"2021-08-13"}]',
                    children={"contact_mediums": [{"position": 1, "extra": {
                        "mediumType": {"a": 1}, "preferred": 1, "characteristic": 7,
                        "validFor": "2021-08-13"}}]})
    yield _customer("dates-impossible",
                    '"contactMedium":[{"validFor":{"startDateTime":"2021-02-30",'
                    '"endDateTime":"infinity"}}]', children={
        "contact_mediums": [{"position": 1,
                             "extra": {"validFor": {"startDateTime": "2021-02-30",
                                                    "endDateTime": "infinity"}}}]})


def _subscription(name: str, rest: str, root: Row | None = None, **children: list[Row]) -> Hostile:
    return Hostile(name, f'{{"id":"{name}",{rest}}}'.encode(), "subscription",
                   root={"subscription_id": name, **(root or {})}, children=children)


def _bags() -> Iterator[Hostile]:
    def row(name: str, occurrence: int = 1, bag: str = "characteristic", **more: Any) -> Row:
        return {"bag": bag, "name": name, "occurrence": occurrence, **more}

    yield _subscription("bag-ten-thousand", '"characteristic":['
                        + ",".join(f'{{"name":"n{n}","value":"v"}}' for n in range(10000)) + "]",
                        subscription_characteristics=[row(f"n{n}", value="v")
                                                      for n in range(10000)])
    yield _subscription("bag-ten-thousand-of-one-name",
                        '"properties":[' + ",".join(['{"name":"n"}'] * 10000) + "]",
                        subscription_characteristics=[row("n", n, "properties")
                                                      for n in range(1, 10001)])
    broken = ["", None, True, 1.5, {}, "x" * 256, "İ" * 128]
    yield _subscription("bag-broken-names", '"characteristic":'
                        + json.dumps([{"name": name} for name in broken] + [{}, {"name": "ok"}]),
                        {"extra": {"characteristic": [{"name": name} for name in broken] + [{}]}},
                        subscription_characteristics=[row("ok")])
    names = ["y" * 255, "'; --", "\n", "\uffff", "é", "e\u0301", " ", "NULL", "\\N"]
    yield _subscription("bag-odd-names",
                        '"characteristic":' + json.dumps([{"name": name} for name in names]),
                        subscription_characteristics=[row(name) for name in names])
    values = ["NaN", "Infinity", "+1", "1,5", "0x1", "", " 1", "1e1001", "1_0"]
    yield _subscription("bag-no-numbers", '"characteristic":' + json.dumps([
        {"name": f"v{n}", "valueType": "Float", "value": value} for n, value in enumerate(values)]),
                        subscription_characteristics=[row(f"v{n}", value_type="Float", value=value)
                                                      for n, value in enumerate(values)])
    yield _subscription("bag-value-is-json",
                        '"characteristic":[{"name":"a","value":{"x" : '
                        '[1.10]}},{"name":"b","value":[ ]},{"name":"c","value":1E5}]',
                        subscription_characteristics=[row("a", value='{"x" : [1.10]}'),
                                                      row("b", value="[ ]"), row("c", value="1E5")])
    yield _subscription("bag-type-is-odd",
                        '"characteristic":[{"name":"a","valueType":"float\'; '
                        '--","value":"1"},{"name":"b","valueType":["Float"],"value":"1"}]',
                        subscription_characteristics=[row("a", value_type="float'; --", value="1"),
                                                      row("b", value="1",
                                                          extra={"valueType": ["Float"]})])
    yield _subscription("parties-broken",
                        '"engagedParty":[{"id":1.5},{"id":""},{"id":-0},{"id":"p"},{"id":"p"}]',
                        {"extra": {"engagedParty": [{"id": 1.5}, {"id": ""}]}},
                        engaged_parties=[{"customer_id": "-0", "occurrence": 1},
                                         {"customer_id": "p", "occurrence": 1},
                                         {"customer_id": "p", "occurrence": 2}])
    yield _subscription("dates-as-text", '"completionDate":"2021-08-13"',
                        {"extra": {"completionDate": "2021-08-13"}})


def _properties() -> Iterator[Hostile]:
    bad = {
        "content_type": "application/xml; charset=utf-16", "content_encoding": "gzip",
        "correlation_id": b"c\0", "message_id": b"\xffid\0",
        "app_id": "'; --", "type": "\u2028", "reply_to": "x" * 255, "priority": 255, "timestamp": 0,
        "headers": {"raw": RawText("?"), "x-death": "forged", "deep": {"a": [{"b": [1, None]}]},
                    "long": "x" * 20000, "": True},
    }
    yield _dead("properties-of-a-dead-letter", b"not json, with properties", "not_json",
                properties=bad, kept={
        "content_type": "application/xml; charset=utf-16", "message_id": "base64:/2lkAA==",
        "content_encoding": "gzip",
        "correlation_id": "base64:YwA=", "app_id": "'; --", "type": "\u2028", "reply_to": "x" * 255,
        "priority": 255, "timestamp": 0,
        "headers": {"raw": "base64:/wD+", "x-death": "forged", "deep": {"a": [{"b": [1, None]}]},
                    "long": "x" * 20000, "": True}})
    yield _customer("properties-of-a-good-one", '"name":"A"', {"name": "A"}, properties=bad)
    yield _customer("timestamp-zero", '"name":"A"', {"name": "A"}, properties={"timestamp": 0})
    yield _customer("timestamp-far", '"name":"A"', {"name": "A"}, properties={"timestamp": 2**62})
    yield _customer("timestamp-all-bits", '"name":"A"', {"name": "A"},
                    properties={"timestamp": 2**64 - 1})
    yield _dead("really-gzip", gzip.compress(b'{"id":"g"}', mtime=0), "invalid_unicode",
                properties={"content_encoding": "gzip"})
    yield _dead("charset-says-latin", '{"id":"g","name":"ş"}'.encode("iso-8859-9"),
                "invalid_unicode", properties={
        "content_type": "application/json; charset=iso-8859-9"})


def all_payloads() -> list[Hostile]:
    return [payload for make in (_bytes, _marks_and_nuls, _surrogates, _syntax, _shape, _ids,
                                 _duplicates, _limits, _numbers, _texts, _names,
                                 _children, _bags, _properties) for payload in make()]
