"""Makes an image with many layers: deepen.py BASE.tar DEEP.tar LAYERS."""

import gzip
import hashlib
import io
import json
import sys
import tarfile

base, deep, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
with tarfile.open(base) as archive:
    files = {m.name: archive.extractfile(m).read() for m in archive.getmembers() if m.isfile()}
manifest = json.loads(files["manifest.json"])[0]
config = json.loads(files[manifest["Config"]])
layers = [files[name] for name in manifest["Layers"]]
# The containerd image store saves layers compressed.
layers = [gzip.decompress(layer) if layer[:2] == b"\x1f\x8b" else layer for layer in layers]
while len(layers) < count:
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(f"layer{len(layers)}"))
    layers.append(layer.getvalue())
config["rootfs"]["diff_ids"] = ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]
config.pop("history", None)
written = {f"{i}/layer.tar": layer for i, layer in enumerate(layers)}
written["config.json"] = json.dumps(config).encode()
written["manifest.json"] = json.dumps(
    [{"Config": "config.json", "RepoTags": [f"deep:{count}"], "Layers": [f"{i}/layer.tar" for i in range(count)]}]
).encode()
with tarfile.open(deep, "w") as archive:
    for name, content in written.items():
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
