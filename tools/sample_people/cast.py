"""Who is made of whom: numbers of the London set's people, as in its file names."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Role:
    """One sample person.

    Attributes:
        name: three digits, the start of the file names.
        eyes, nose, mouth: whose fine detail is seen in each part of the face; shape and colours are the
            mean of the three.
        hair: whose photo the face is set into: hair, ears, neck and background.
        shots: which photos are made.
    """

    name: str
    eyes: str
    nose: str
    mouth: str
    hair: str
    shots: tuple[str, ...]

    @property
    def face(self) -> tuple[str, str, str]:
        """The three people whose mean the face is."""
        return self.eyes, self.nose, self.mouth


BETWEEN = ("neutral", "smiling", "between")
LIGHT = ("neutral", "smiling", "light")
TURN = ("neutral", "smiling", "turn")
BETWEEN_LIGHT = (*BETWEEN, "light")
BETWEEN_TURN = (*BETWEEN, "turn")
LIGHT_TURN = (*LIGHT, "turn")

CAST: tuple[Role, ...] = (
    Role("001", "020", "034", "127", "032", LIGHT_TURN),
    Role("002", "119", "008", "042", "082", BETWEEN_LIGHT),
    Role("003", "012", "004", "041", "092", BETWEEN_TURN),
    Role("004", "039", "001", "136", "009", LIGHT_TURN),
    Role("005", "139", "062", "064", "126", TURN),
    Role("006", "121", "131", "031", "172", BETWEEN_TURN),
    Role("007", "102", "083", "139", "090", LIGHT_TURN),
    Role("008", "018", "063", "026", "069", BETWEEN_LIGHT),
    Role("009", "082", "021", "119", "024", BETWEEN_TURN),
    Role("010", "007", "066", "087", "030", LIGHT_TURN),
    Role("011", "125", "101", "115", "108", BETWEEN_LIGHT),
    Role("012", "108", "070", "017", "117", BETWEEN_TURN),
    Role("013", "094", "126", "019", "129", LIGHT),
    Role("014", "128", "105", "026", "022", BETWEEN_LIGHT),
    Role("015", "107", "134", "020", "136", BETWEEN_TURN),
    Role("016", "117", "012", "022", "037", LIGHT_TURN),
    Role("017", "135", "090", "081", "122", BETWEEN_LIGHT),
    Role("018", "045", "131", "101", "017", BETWEEN_TURN),
    Role("019", "032", "120", "134", "087", LIGHT_TURN),
    Role("020", "068", "142", "108", "029", BETWEEN_LIGHT),
    Role("021", "129", "038", "025", "006", BETWEEN),
    Role("022", "112", "124", "122", "144", LIGHT_TURN),
    Role("023", "130", "018", "004", "138", BETWEEN_LIGHT),
    Role("024", "038", "118", "016", "027", BETWEEN_TURN),
    Role("025", "045", "005", "115", "067", LIGHT_TURN),
    Role("026", "139", "030", "013", "011", BETWEEN_LIGHT),
    Role("027", "043", "096", "067", "119", BETWEEN_TURN),
    Role("028", "127", "094", "118", "134", LIGHT_TURN),
    Role("029", "140", "017", "092", "041", TURN),
    Role("030", "016", "032", "091", "039", BETWEEN_TURN),
    Role("031", "103", "105", "117", "131", LIGHT_TURN),
)
