"""Endpoints: the documented host names of OSS, and what each tells about region and product.

Sources: "Regions and endpoints", "Access OSS by using endpoints and bucket domain names", "OSS accelerator",
"Cloud Box" and "PrivateLink" in the OSS documentation, as of 2026.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches

CLOUD_BOX_PRODUCT = "oss-cloudbox"

# Finance Cloud: the name in the host is not the id of the region.
_FINANCE_REGIONS = {
    "cn-beijing-finance-1-pub": "cn-beijing-finance-1",
    "cn-hzfinance": "cn-hangzhou-finance",
    "cn-hzjbp": "cn-hangzhou-finance",
    "cn-hzjbp-a": "cn-hangzhou-finance",
    "cn-hzjbp-b": "cn-hangzhou-finance",
    "cn-shanghai-finance": "cn-shanghai-finance-1",
    "cn-shanghai-finance-1-pub": "cn-shanghai-finance-1",
    "cn-shenzhen-finance": "cn-shenzhen-finance-1",
    "cn-szfinance": "cn-shenzhen-finance-1",
}
_REGIONS = frozenset(
    """
    ap-northeast ap-south ap-southeast cn-beijing cn-beijing-finance cn-chengdu cn-fuzhou cn-guangzhou cn-hangzhou
    cn-hangzhou-finance cn-heyuan cn-hongkong cn-huhehaote cn-hzfinance cn-hzjbp cn-nanjing cn-north-2-gov cn-qingdao
    cn-shanghai cn-shanghai-finance cn-shenzhen cn-shenzhen-finance cn-szfinance cn-wuhan-lr cn-wulanchabu
    cn-zhangjiakou cn-zhongwei eu-central eu-west me-central me-east na-south rg-china-mainland us-east us-southeast
    us-west
    """.split()
)
"""Names of regions without a number at the end; new ones may come."""
_NUMBER = re.compile(r"(-[0-9]+)?$")
_NAME = r"(?P<name>[a-z]+(-[a-z0-9]+)+?)"
_REGIONAL = (
    rf"oss-{_NAME}(-internal)?\.aliyuncs\.com",
    rf"vpc100-oss-{_NAME}\.aliyuncs\.com",  # VPC endpoints of earlier years
    rf"{_NAME}(-internal)?\.oss\.aliyuncs\.com",  # dual stack
    rf"ep-[a-z0-9-]+\.oss\.{_NAME}\.privatelink\.aliyuncs\.com",
)
_ACCELERATOR = (
    rf"{_NAME}(-internal)?\.oss-data-acc\.aliyuncs\.com",
    rf"oss-cache-{_NAME}\.aliyuncs\.com",
)
_ZONE = re.compile(r"(?P<region>[a-z]+-[a-z]+(-[0-9])?)(-[a-z]|(?<=[0-9])[a-z])")
_WITHOUT_REGION = r"oss-accelerate(-overseas)?\.aliyuncs\.com|oss(-internal)?\.aliyuncs\.com"
_CLOUD_BOX = rf"(?P<box>cb-[a-z0-9]+)\.{_NAME}\.oss-cloudbox\.aliyuncs\.com"
_BARE_NAME = re.compile(rf"(oss-)?{_NAME}(-internal)?")
_REGION_STARTS = frozenset("ap cn eu me na rg us".split())


@dataclass(frozen=True, slots=True)
class KnownEndpoint:
    """Hold what a documented host name tells.

    :param region: to sign for; ``None`` if the host does not tell it.
    :param also: other names of that region, which a user may write.
    :param product: to sign for.
    """

    region: str | None
    also: frozenset[str] = frozenset()
    product: str = "oss"

    def contradicts(self, region: str) -> bool:
        """Return whether a region that a user wrote cannot be that of the endpoint."""
        return self.region is not None and region != self.region and region not in self.also


def known_endpoint(host: str) -> KnownEndpoint | None:
    """Return what a host name of OSS tells, ``None`` for any other host.

    :param host: in lower case, without a port.
    """
    if re.fullmatch(_WITHOUT_REGION, host):
        return KnownEndpoint(None)
    if found := re.fullmatch(_CLOUD_BOX, host):  # a Cloud Box signs for its own id in place of the region
        return KnownEndpoint(found["box"], frozenset((found["name"],)), CLOUD_BOX_PRODUCT)
    for pattern in _ACCELERATOR:
        if found := re.fullmatch(pattern, host):
            zone = _ZONE.fullmatch(found["name"])
            region = zone["region"] if zone else found["name"]
            return KnownEndpoint(region, frozenset((found["name"],)))
    for pattern in _REGIONAL:
        if found := re.fullmatch(pattern, host):
            name = found["name"]
            return KnownEndpoint(_FINANCE_REGIONS.get(name, name), frozenset((name,)))
    return None


def meant_region(name: str) -> str:
    """Return a region's name as it was probably meant: itself, unless it is close to a known one.

    :param name: as in a host; ``-internal`` at its end may be misspelt too.
    """
    start, _, last = name.rpartition("-")
    internal = bool(start and get_close_matches(last, ["internal"], cutoff=0.75))
    region = start if internal else name
    number = _NUMBER.search(region)
    base = region[: number.start()] if number else region
    # Known names first: eu-central and me-central are as close to each other as a misspelt name.
    close = [base] if base in _REGIONS else get_close_matches(base, sorted(_REGIONS), 1, cutoff=0.9) or [base]
    return close[0] + region[len(base) :] + ("-internal" if internal else "")


def without_bucket(host: str) -> str | None:
    """Return the endpoint in a host that starts with a bucket, ``None`` for any other host."""
    rest = host.partition(".")[2]
    return rest if known_endpoint(host) is None and known_endpoint(rest) is not None else None


def full_host(name: str) -> str | None:
    """Return the endpoint that a bare name such as ``oss-cn-hangzhou`` or ``cn-hangzhou`` abbreviates."""
    bare = name.removeprefix("oss-").partition("-")[0]
    if not _BARE_NAME.fullmatch(name) or bare not in _REGION_STARTS:
        return None
    return f"oss-{name.removeprefix('oss-')}.aliyuncs.com"


def similar_endpoint(host: str) -> str | None:
    """Return the endpoint that a host such as ``oss-cn-hangzhou.aliyuncs.cn`` was probably meant to be."""
    first = host.split(".")[:2]
    names = first if "aliyun" in host else [name for name in first if name.startswith("oss-")]
    return next((found for name in names if (found := full_host(name))), None)
