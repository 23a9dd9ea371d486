"""The public names for type checkers and editors; `__init__.py` loads them on first use."""

from portable.errors import BackendFailed as BackendFailed
from portable.errors import BackendNotFound as BackendNotFound
from portable.errors import BackendUnavailable as BackendUnavailable
from portable.errors import ModelError as ModelError
from portable.errors import PortableError as PortableError
from portable.errors import UnsupportedError as UnsupportedError
from portable.library.cells import EIF_cond_exp_isfa_ista as EIF_cond_exp_isfa_ista
from portable.library.cells import HH_cond_exp as HH_cond_exp
from portable.library.cells import IF_cond_alpha as IF_cond_alpha
from portable.library.cells import IF_cond_exp as IF_cond_exp
from portable.library.cells import IF_curr_alpha as IF_curr_alpha
from portable.library.cells import IF_curr_delta as IF_curr_delta
from portable.library.cells import IF_curr_exp as IF_curr_exp
from portable.library.cells import Izhikevich as Izhikevich

# fmt: off
# fmt: off
from portable.library.mechanisms import AdditivePotentiationMultiplicativeDepression as AdditivePotentiationMultiplicativeDepression  # noqa: E501
# fmt: on

# fmt: on
from portable.library.mechanisms import AdditiveWeightDependence as AdditiveWeightDependence
from portable.library.mechanisms import GutigWeightDependence as GutigWeightDependence
from portable.library.mechanisms import MultiplicativeWeightDependence as MultiplicativeWeightDependence
from portable.library.mechanisms import SpikePairRule as SpikePairRule
from portable.library.mechanisms import STDPMechanism as STDPMechanism
from portable.library.mechanisms import Vogels2011Rule as Vogels2011Rule
from portable.library.plasticity import STDP as STDP
from portable.library.plasticity import DopamineSTDP as DopamineSTDP
from portable.library.plasticity import HomeostaticScaling as HomeostaticScaling
from portable.library.plasticity import STDP_nearest as STDP_nearest
from portable.library.plasticity import STDP_normalised as STDP_normalised
from portable.library.plasticity import STDP_power as STDP_power
from portable.library.plasticity import STDP_presynaptic_centered as STDP_presynaptic_centered
from portable.library.plasticity import STDP_restricted as STDP_restricted
from portable.library.plasticity import Triplet as Triplet
from portable.library.plasticity import TsodyksMarkram as TsodyksMarkram
from portable.library.plasticity import VogelsSprekeler as VogelsSprekeler
from portable.library.receptors import CondAlpha as CondAlpha
from portable.library.receptors import CondExp as CondExp
from portable.library.receptors import CurrAlpha as CurrAlpha
from portable.library.receptors import CurrExp as CurrExp
from portable.model.cells import Cell as Cell
from portable.model.cells import CellType as CellType
from portable.model.cells import ReceptorType as ReceptorType
from portable.model.connectors import AllToAll as AllToAll
from portable.model.connectors import Explicit as Explicit
from portable.model.connectors import FixedInDegree as FixedInDegree
from portable.model.connectors import FixedProbability as FixedProbability
from portable.model.connectors import FixedTotalNumber as FixedTotalNumber
from portable.model.connectors import OneToOne as OneToOne
from portable.model.connectors import StaticSynapse as StaticSynapse
from portable.model.links import Link as Link
from portable.model.network import Injection as Injection
from portable.model.network import Network as Network
from portable.model.network import Population as Population
from portable.model.network import Projection as Projection
from portable.model.network import Record as Record
from portable.model.network import View as View
from portable.model.settings import RunSettings as RunSettings
from portable.model.sources import DCSource as DCSource
from portable.model.sources import SpikeSourceArray as SpikeSourceArray
from portable.model.sources import SpikeSourcePoisson as SpikeSourcePoisson
from portable.model.sources import StepCurrentSource as StepCurrentSource
from portable.model.synapses import PlasticSynapse as PlasticSynapse
from portable.model.synapses import SynapseType as SynapseType
from portable.model.synapses import synapse_type as synapse_type
from portable.model.types import cell_type as cell_type
from portable.model.types import receptor_type as receptor_type
from portable.model.values import Array as Array
from portable.model.values import Clipped as Clipped
from portable.model.values import Lognormal as Lognormal
from portable.model.values import Normal as Normal
from portable.model.values import Uniform as Uniform
from portable.prediction import Prediction as Prediction
from portable.prediction import predict as predict
from portable.results.synapses import SynapseTable as SynapseTable
from portable.results.tables import Results as Results
from portable.schemas.document import from_document as from_document
from portable.schemas.document import load as load
from portable.schemas.document import save as save
from portable.schemas.document import to_document as to_document
from portable.schemas.neuroml.available import read_neuroml as read_neuroml
from portable.schemas.neuroml.write import write_neuroml as write_neuroml
from portable.simulation import Simulation as Simulation
from portable.simulation import check as check
from portable.simulation import open as open
from portable.simulation import run as run
from portable.units import Quantity as Quantity
from portable.validation.answer import validate as validate
from portable.validation.compare import compare as compare

__version__: str
