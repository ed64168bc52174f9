"""The connection form of Airflow 2.11 to 3.1, made from the table that later versions read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def widgets(fields: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return a form field for each entry.

    :param fields: as ``conn-fields`` in the provider info.
    """
    from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget
    from flask_babel import lazy_gettext
    from wtforms import PasswordField, StringField
    from wtforms.validators import AnyOf, Optional

    def widget(entry: Mapping[str, Any]) -> Any:
        schema = entry["schema"]
        secret = schema.get("format") == "password"
        kind, look = (PasswordField, BS3PasswordFieldWidget) if secret else (StringField, BS3TextFieldWidget)
        return kind(
            lazy_gettext(entry["label"]),
            validators=[Optional(), *([AnyOf(schema["enum"])] if "enum" in schema else [])],
            description=entry.get("description", ""),
            default=str(schema.get("default", "")),
            widget=look(),
        )

    return {name: widget(entry) for name, entry in fields.items()}
