"""Power against the figures of a real site, and what must always hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trinch.planner.ops.power import carbon, draw, energy_mwh, site_power
from trinch.planner.perf.hardware import PlanError, gpus


def test_a_hundred_thousand_h100_look_like_colossus() -> None:
    site = site_power("H100-SXM-80GB", 100_000, site="colossus")
    # Measured nodes 85.6 MW, plus a tenth for network and storage, times a PUE of 1.2.
    assert 100_000 * draw("H100-SXM-80GB").mean_w / 1e6 == pytest.approx(85.6, abs=0.1)
    assert 108 < site.site_mw < 122
    assert site.provision_mw == pytest.approx(150, rel=0.02)  # the provisioned figure of the press
    assert site.limit_mw == 150
    assert site.fits
    assert site.swing_mw > 30  # tens of megawatts


def test_only_h100_is_measured_and_the_others_say_so() -> None:
    assert draw("H100-SXM-80GB").measured
    assert draw("H100-SXM-80GB").mean_w / draw("H100-SXM-80GB").nameplate_w == pytest.approx(0.67, abs=0.005)
    for name in gpus():
        one = draw(name)
        assert one.idle_w < one.low_w <= one.mean_w <= one.high_w <= one.nameplate_w
        assert one.mean_w <= one.peak_w <= one.nameplate_w
        assert one.measured == (name == "H100-SXM-80GB")


@given(n_gpus=st.integers(1, 500_000), pue=st.floats(1, 2), limit=st.floats(0.001, 500))
def test_a_limit_is_kept_by_the_gpus_reported_to_fit(n_gpus: int, pue: float, limit: float) -> None:
    site = site_power("H100-SXM-80GB", n_gpus, pue, limit)
    assert site.idle_mw < site.site_mw <= site.peak_mw
    assert site.gpus_within_limit is not None
    assert site.fits == (site.gpus_within_limit >= n_gpus)
    if site.gpus_within_limit:
        assert site_power("H100-SXM-80GB", site.gpus_within_limit, pue, limit).peak_mw <= limit * (1 + 1e-9)


def test_energy_counts_idle_hours_at_idle_power() -> None:
    site = site_power("H200", 8_000)
    assert energy_mwh(site, 10, 1.0) == pytest.approx(10 * site.site_mw)
    assert energy_mwh(site, 10, 0.0) == pytest.approx(10 * site.idle_mw)
    assert energy_mwh(site, 10, 0.9) < energy_mwh(site, 10, 1.0)


def test_bad_input_is_one_sentence() -> None:
    with pytest.raises(PlanError, match=r"PUE 0\.9 is below 1"):
        site_power("H100-SXM-80GB", 8, pue=0.9)
    with pytest.raises(PlanError, match="give megawatts"):
        site_power("H100-SXM-80GB", 8, limit_mw=0)
    with pytest.raises(PlanError, match="did you mean us-tva"):
        carbon("us-tv")
    with pytest.raises(PlanError, match="no power figure for V100"):
        draw("V100")
