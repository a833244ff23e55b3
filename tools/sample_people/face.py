"""One composite face: the mean of three people's shapes and colours, set into a fourth person's photo."""

from __future__ import annotations

import numpy as np

from .blend import around, blur, clone, closed_curve, inside, match_tone, mix
from .cast import Role
from .london import FRAME, NEUTRAL, SMILING, London
from .warp import Floats, Image

SIZE = (FRAME, FRAME)
EXAGGERATION = 1.3
DETAIL_SIGMA = 6.0
SEAM_FEATHER = 5.0
JAW, BROWS, NOSE, LEFT_EYE, RIGHT_EYE, LIPS, TEETH = (
    slice(0, 17), slice(17, 27), slice(27, 36), slice(36, 42), slice(42, 48), slice(48, 68), slice(60, 68)
)  # fmt: skip
BROW_LIFT = np.array([22.0, 34.0, 40.0, 42.0, 42.0, 42.0, 42.0, 40.0, 34.0, 22.0])
JAW_INSET = 16.0


def face_shape(london: London, role: Role, smile: float) -> Floats:
    """Landmarks (68, 2) of a composite: the mean of three, some way further from the average face.

    A mean of three is plainer than any of them; `EXAGGERATION` gives back what sets it apart. ``smile``
    runs from 0 (neutral) to 1 (as the three smile).
    """
    neutral = np.mean([london.shape(person, NEUTRAL) for person in role.face], axis=0)
    smiling = np.mean([london.shape(person, SMILING) for person in role.face], axis=0)
    average = london.average()
    return np.asarray(average + EXAGGERATION * (neutral - average) + smile * (smiling - neutral))


def seam(shape: Floats) -> Floats:
    """The closed line along which a face is set in: inside the jaw, over the brows."""
    above = shape[BROWS] - BROW_LIFT[:, None] * np.array([0.0, 1.0])
    inwards = shape[NOSE].mean(0) - shape[JAW]
    jaw = shape[JAW] + JAW_INSET * inwards / np.hypot(inwards[:, :1], inwards[:, 1:])
    return closed_curve(np.vstack([jaw, above[::-1]]))


def composite(london: London, role: Role, smile: float) -> tuple[Image, Floats]:
    """A sample person in the common frame, RGB float32 around [0, 1], and the landmarks (68, 2).

    Colours and soft shading are the mean of three; fine detail of eyes, nose and cheeks, and mouth comes
    from one person each, and what is between the eyelids and the lips wholly so: nothing is doubled and
    skin keeps its grain. Between neutral and smiling, the colours of both are averaged.
    """
    shape = face_shape(london, role, smile)
    sharp = NEUTRAL if smile < 0.5 else SMILING
    photo = london.warped(role.hair, sharp, shape)
    outline = seam(shape)
    skin = inside(outline, SIZE, 1.0)

    def layers(expression: int) -> list[Image]:
        taken = (london.warped(person, expression, shape) for person in role.face)
        return [match_tone(image, photo, skin) for image in taken]

    crisp = layers(sharp)
    colours = _mean(crisp)
    if 0.0 < smile < 1.0:
        other = _mean(layers(SMILING if sharp == NEUTRAL else NEUTRAL))
        share = np.float32(max(smile, 1.0 - smile))
        colours = share * colours + (1 - share) * other
    eyes = around(np.vstack([shape[BROWS], shape[LEFT_EYE], shape[RIGHT_EYE]]), SIZE, 14, feather=8.0)
    lips = around(shape[LIPS], SIZE, 14, feather=8.0) * (1.0 - eyes)
    detail = mix([layer - blur(layer, DETAIL_SIGMA) for layer in crisp], [eyes, 1.0 - eyes - lips, lips])
    gaze = around(shape[LEFT_EYE], SIZE, 2, feather=2.0) + around(shape[RIGHT_EYE], SIZE, 2, feather=2.0)
    teeth = around(shape[TEETH], SIZE, 1, feather=2.0)
    face = mix([blur(colours, DETAIL_SIGMA) + detail, crisp[0], crisp[2]], [1.0 - gaze - teeth, gaze, teeth])
    return clone(face, photo, outline, feather=SEAM_FEATHER), shape


def _mean(images: list[Image]) -> Image:
    return np.asarray(np.mean(images, axis=0), dtype=np.float32)
