"""config show."""

from jumun.doors.cli.options import AsJson


def show(*, as_json: AsJson = False) -> int:
    """Print every setting, its effective value and where that came from. Secrets are masked.

    A value that would refuse the start of the service refuses this too; keys are not needed.
    """
    from jumun import app
    from jumun.config import load, shown
    from jumun.doors.cli import printing

    loaded = load()
    app.require_sound(loaded.settings)
    names = list(type(loaded.settings).model_fields)
    rows = [
        {
            "name": name.upper(),
            "value": shown(name, getattr(loaded.settings, name)),
            "source": loaded.sources[name],
        }
        for name in names
    ]
    if as_json:
        printing.as_json({"settings": rows})
        return 0
    table = printing.table("setting", "value", "from")
    for row in rows:
        table.add_row(str(row["name"]), _readable(row["value"]), str(row["source"]))
    printing.out().print(table)
    return 0


def _readable(value: object) -> str:
    """Return a value as a person would write it."""
    if isinstance(value, dict):
        return ", ".join(
            f"{key}={_readable(item)}" for key, item in value.items() if item not in ("", {}, [])
        )
    if isinstance(value, list):
        return "\n".join(_readable(item) for item in value)
    if value is None:
        return "(not set)"
    return str(value)
