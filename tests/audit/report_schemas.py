"""Schemas of the formats of reports, written from what their standards say.

``SARIF`` holds what section 3 of *SARIF Version 2.1.0* requires of the objects that an audit
writes, and lets no other property pass. ``JUNIT`` is the schema of the JUnit XML that Jenkins and
GitLab read.
"""

from __future__ import annotations

from typing import Any

TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
LEVEL: dict[str, Any] = {"enum": ["none", "note", "warning", "error"]}


def _object(required: str, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": required.split(),
        "properties": properties,
        "additionalProperties": False,
    }


def _list(items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


_MESSAGE = _object("text", text=TEXT)
_URI = {"type": "string", "format": "uri-reference", "pattern": r"^[!#-;=?-\[\]_a-z~%A-Z]+$"}
_BAG = {"type": "object"}

SARIF: dict[str, Any] = _object(
    "version runs",
    **{"$schema": {"type": "string", "format": "uri"}},
    version={"const": "2.1.0"},
    runs=_list(
        _object(
            "tool",
            tool=_object(
                "driver",
                driver=_object(
                    "name",
                    name=TEXT,
                    semanticVersion={"type": "string", "pattern": r"^\d+\.\d+\.\d+"},
                    rules=_list(
                        _object(
                            "id",
                            id=TEXT,
                            shortDescription=_MESSAGE,
                            fullDescription=_MESSAGE,
                            help=_MESSAGE,
                            defaultConfiguration=_object("", level=LEVEL),
                        ),
                        uniqueItems=True,
                    ),
                ),
            ),
            invocations=_list(
                _object(
                    "executionSuccessful",
                    executionSuccessful={"type": "boolean"},
                    toolConfigurationNotifications=_list(
                        _object("message", level=LEVEL, message=_MESSAGE)
                    ),
                )
            ),
            artifacts=_list(_object("", location=_object("", uri=_URI))),
            columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
            results=_list(
                _object(
                    "message",
                    ruleId=TEXT,
                    ruleIndex={"type": "integer", "minimum": -1},
                    level=LEVEL,
                    message=_MESSAGE,
                    locations=_list(
                        _object(
                            "",
                            physicalLocation=_object(
                                "artifactLocation",
                                artifactLocation=_object(
                                    "", uri=_URI, index={"type": "integer", "minimum": -1}
                                ),
                                region=_object("", startLine={"type": "integer", "minimum": 1}),
                            ),
                            logicalLocations=_list(_object("", fullyQualifiedName=TEXT, kind=TEXT)),
                        )
                    ),
                    partialFingerprints={"type": "object", "additionalProperties": TEXT},
                    properties=_BAG,
                )
            ),
            properties=_BAG,
        ),
        minItems=1,
    ),
)

JUNIT = """
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">
  <xs:attributeGroup name="counts">
    <xs:attribute name="tests" type="xs:nonNegativeInteger" use="required"/>
    <xs:attribute name="failures" type="xs:nonNegativeInteger" use="required"/>
    <xs:attribute name="errors" type="xs:nonNegativeInteger" use="required"/>
    <xs:attribute name="skipped" type="xs:nonNegativeInteger"/>
  </xs:attributeGroup>
  <xs:complexType name="problem">
    <xs:simpleContent>
      <xs:extension base="xs:string">
        <xs:attribute name="message" type="xs:string"/>
        <xs:attribute name="type" type="xs:string"/>
      </xs:extension>
    </xs:simpleContent>
  </xs:complexType>
  <xs:element name="testsuites">
    <xs:complexType>
      <xs:sequence>
        <xs:element name="testsuite" maxOccurs="unbounded">
          <xs:complexType>
            <xs:sequence>
              <xs:element name="testcase" minOccurs="0" maxOccurs="unbounded">
                <xs:complexType>
                  <xs:choice minOccurs="0">
                    <xs:element name="failure" type="problem"/>
                    <xs:element name="skipped" type="problem"/>
                    <xs:element name="system-out" type="xs:string"/>
                  </xs:choice>
                  <xs:attribute name="name" type="xs:string" use="required"/>
                  <xs:attribute name="classname" type="xs:string" use="required"/>
                </xs:complexType>
              </xs:element>
              <xs:element name="system-out" type="xs:string" minOccurs="0"/>
            </xs:sequence>
            <xs:attribute name="name" type="xs:string" use="required"/>
            <xs:attributeGroup ref="counts"/>
          </xs:complexType>
        </xs:element>
      </xs:sequence>
      <xs:attributeGroup ref="counts"/>
    </xs:complexType>
  </xs:element>
</xs:schema>
"""
