"""The pictures: what is on the axes, what the caption says, and that a file comes out."""

import numpy as np
import pytest
from matplotlib import image

import portable as pt
from portable.pictures.drawing import draw_network, edges
from portable.pictures.plots import SPIKES, raster
from portable.results import Results, TraceTable, sorted_spikes


def made(sizes, spikes_each=50, traces=False, steps=5000, recorded=None):
    rng = np.random.default_rng(0)
    tables = {}
    for name, n in sizes.items():
        cells = np.arange(n) if recorded is None else np.arange(0, n, recorded)
        k = spikes_each * cells.size // 10
        tables[name] = sorted_spikes(rng.choice(cells, k), rng.integers(1, steps + 1, k), 0.1, cells)
    traced = {}
    if traces:
        grid = np.arange(0, steps + 1, 50)
        traced = {
            (n, "v"): TraceTable(np.arange(6), grid, 0.1, rng.normal(-60, 3, (grid.size, 6)), "mV")
            for n in sizes
        }
    return Results(
        "net",
        "nest",
        0.1,
        steps,
        sizes,
        tables,
        traced,
        {"seed": 42, "simulator": "3.10.0", "synapses": 1234},
    )


def text_of(figure):
    return " ".join(
        f"{figure._suptitle.get_text()}\n{figure._supxlabel.get_text() if figure._supxlabel else ''}".split()
    )


def test_raster_says_what_ran_and_names_the_populations(tmp_path):
    path = tmp_path / "raster.png"
    figure = raster(made({"exc": 80, "inh": 20}, traces=True), path)
    title = text_of(figure)
    for part in ("net", "nest 3.10.0", "dt 0.1 ms", "seed 42", "500 ms", "1,234 synapses"):
        assert part in title
    spikes, rates, means, traces = figure.axes
    assert [t.get_text() for t in spikes.get_yticklabels()] == ["exc", "inh"]
    assert spikes.get_xlim() == rates.get_xlim() == traces.get_xlim() == (0.0, 500.0)
    assert traces.get_xlabel() == "time (ms)"
    assert rates.get_ylabel() == "rate (Hz)"
    assert traces.get_ylabel() == "v (mV)"
    assert means.get_title(loc="left") == "mean rate (Hz)"
    assert sum(len(c.get_offsets()) for c in spikes.collections) == 500  # every spike of 100 cells at 5 each
    assert [p.get_width() for p in means.patches] == pytest.approx([10.0, 10.0])
    pixels = image.imread(path)
    assert pixels.shape[0] > 400
    assert pixels[..., :3].std() > 0.02  # not blank


def test_populations_are_drawn_in_their_own_stripes_and_colours():
    spikes = raster(made({"exc": 80, "inh": 20})).axes[0]
    upper, lower = (c.get_offsets()[:, 1] for c in spikes.collections)
    assert upper.min() > lower.max()
    assert not np.array_equal(spikes.collections[0].get_facecolor(), spikes.collections[1].get_facecolor())


def test_what_is_left_out_is_said():
    figure = raster(made({"exc": 20_000, "inh": 500}, spikes_each=3, traces=True))
    caption = text_of(figure)
    assert "of 20,500 recorded cells" in caption
    assert "first 4 recorded cells of exc, inh" in caption
    everything = raster(made({"exc": 80}))
    assert "recorded cells" not in text_of(everything)


def test_a_lively_network_draws_a_bounded_number_of_spikes_and_says_so():
    figure = raster(made({"exc": 1000}, spikes_each=4000))
    drawn = sum(len(c.get_offsets()) for c in figure.axes[0].collections)
    assert (
        0.8 * SPIKES < drawn < 1.1 * SPIKES
    )  # of 400,000; cells are thinned whole, so not to the last spike
    assert "of 1,000 recorded cells" in text_of(figure)
    bars = figure.axes[2].patches
    assert bars[0].get_width() == pytest.approx(800.0)  # rates use all


def test_partial_recordings_and_silent_populations_are_said():
    r = made({"exc": 80}, recorded=2)
    figure = raster(
        Results(r.network, r.backend, r.dt, r.steps, {**r.sizes, "noise": 10}, r.spikes, {}, r.provenance)
    )
    assert "Spikes not recorded: noise" in text_of(figure)
    assert "Recorded in part: exc" in text_of(figure)


def test_nothing_at_all_still_makes_a_picture(tmp_path):
    raster(made({"exc": 8}, spikes_each=0), tmp_path / "silent.png")
    raster(Results("net", "native", 0.1, 100, {"exc": 8}, {}, {}), tmp_path / "none.png")
    raster(
        Results("net", "native", 0.1, 0, {"exc": 8}, {"exc": sorted_spikes([], [], 0.1, np.arange(8))}, {}),
        tmp_path / "zero.png",
    )
    assert all((tmp_path / f"{n}.png").stat().st_size > 1000 for n in ("silent", "none", "zero"))


def test_twelve_populations_do_not_overlap():
    """Labels on the left keep their distance, whatever the sizes: at least a label's height (about 2 % of the
    axis).
    """
    spikes = raster(made({f"p{i}": 10 if i % 2 else 3000 for i in range(12)}, spikes_each=1)).axes[0]
    assert np.abs(np.diff(spikes.get_yticks())).min() > 0.02


@pytest.mark.parametrize("name", ["picture.txt", "missing/picture.png"])
def test_a_wrong_file_is_refused(name, tmp_path):
    with pytest.raises(pt.ModelError, match="picture"):
        raster(made({"exc": 8}), tmp_path / name)


def network(n_cells=2, kind=None, inhibitory=-0.2):
    cells = [pt.Population(f"p{i}", 10 ** (i % 4 + 1), kind or pt.IF_curr_exp()) for i in range(n_cells)]
    noise = pt.Population("noise", 30, pt.SpikeSourcePoisson(rate=10.0))
    projections = [
        pt.Projection(
            a,
            b,
            pt.FixedInDegree(4 + j),
            pt.StaticSynapse(inhibitory if i % 2 else 0.1, 1.0),
            receptor="inhibitory" if i % 2 else "excitatory",
        )
        for i, a in enumerate(cells)
        for j, b in enumerate(cells)
    ]
    projections.append(pt.Projection(noise, cells, pt.FixedTotalNumber(400), pt.StaticSynapse(0.1, 1.0)))
    return pt.Network("drawn", [*cells, noise], projections, recordings=[pt.Record(cells[0], "spikes")])


def test_edges_counted_by_hand():
    found = {(e.pre, e.post): e for e in edges(network())}
    assert found["p0", "p1"].synapses == 500  # 100 cells with 5 each
    assert (found["p0", "p1"].in_degree, found["p0", "p1"].sign) == (5.0, 1)
    assert found["p1", "p0"].sign == -1
    assert found["noise", "p0"].synapses == pytest.approx(
        400 * 10 / 110
    )  # a projection to two populations, shared out by size
    assert found["noise", "p1"].in_degree == pytest.approx(400 * 100 / 110 / 100)


def test_a_conductance_is_inhibitory_if_it_pulls_below_threshold():
    found = {(e.pre, e.post): e.sign for e in edges(network(kind=pt.IF_cond_exp(), inhibitory=0.2))}
    assert found["p0", "p1"] == 1
    assert found["p1", "p0"] == -1


def words(figure):
    return [t.get_text() for t in figure.axes[0].texts]


def test_few_populations_are_nodes_and_arrows(tmp_path):
    figure = draw_network(network(), tmp_path / "graph.png")
    assert {"p0", "p1", "noise", "10", "100", "30", "4", "5"} <= set(words(figure))
    assert "3 populations" in text_of(figure)
    assert (tmp_path / "graph.png").stat().st_size > 5000


def test_many_projections_are_a_matrix_of_in_degrees(tmp_path):
    figure = draw_network(network(8), tmp_path / "matrix.png")
    axis = figure.axes[0]
    assert [t.get_text() for t in axis.get_yticklabels()][:2] == ["p0  10", "p1  100"]
    assert len(words(figure)) == 8 * 9  # every pair, and the noise
    shade = axis.images[0].get_array()
    assert shade[0, 0] > 0 > shade[0, 1]  # p0 excites, p1 inhibits: the columns are sources
