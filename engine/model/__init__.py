"""The nouns: what clients and server exchange, as frozen typed data.

Units are in the names or beside the field: bytes, seconds, cores, shares of 0 to 1. `None` means "this host
cannot tell" in a measurement and "no limit" in a limit; `UNSET` in a change means "leave as it is".
Times are Unix seconds, floats.
"""

from engine.model.base import JSON as JSON
from engine.model.base import Noun as Noun
from engine.model.config import ContainerConfig as ContainerConfig
from engine.model.config import IoLimit as IoLimit
from engine.model.config import LimitReading as LimitReading
from engine.model.config import Limits as Limits
from engine.model.config import LimitsApplied as LimitsApplied
from engine.model.config import LimitsChange as LimitsChange
from engine.model.config import LogOptions as LogOptions
from engine.model.config import Mount as Mount
from engine.model.config import Publish as Publish
from engine.model.config import RestartPolicy as RestartPolicy
from engine.model.config import Ulimit as Ulimit
from engine.model.containers import Change as Change
from engine.model.containers import ContainerState as ContainerState
from engine.model.containers import ContainerSummary as ContainerSummary
from engine.model.containers import Event as Event
from engine.model.containers import ExecConfig as ExecConfig
from engine.model.containers import ExitStatus as ExitStatus
from engine.model.containers import LogExtent as LogExtent
from engine.model.containers import LogLine as LogLine
from engine.model.containers import Process as Process
from engine.model.containers import Status as Status
from engine.model.engine import Check as Check
from engine.model.engine import DoctorReport as DoctorReport
from engine.model.engine import EngineStatus as EngineStatus
from engine.model.engine import Problem as Problem
from engine.model.engine import ProcessCost as ProcessCost
from engine.model.groups import GROUP_PREFIX as GROUP_PREFIX
from engine.model.groups import GROUP_ROOT as GROUP_ROOT
from engine.model.groups import Group as Group
from engine.model.groups import GroupKind as GroupKind
from engine.model.groups import GroupNews as GroupNews
from engine.model.groups import GroupSnapshot as GroupSnapshot
from engine.model.images import ImageConfig as ImageConfig
from engine.model.images import ImageRemoval as ImageRemoval
from engine.model.images import ImageSummary as ImageSummary
from engine.model.keeping import ContainerUse as ContainerUse
from engine.model.keeping import DiskUse as DiskUse
from engine.model.keeping import HistoryStep as HistoryStep
from engine.model.keeping import ImageCheck as ImageCheck
from engine.model.keeping import ImageUse as ImageUse
from engine.model.keeping import Packaged as Packaged
from engine.model.keeping import Pruned as Pruned
from engine.model.keeping import StoreReport as StoreReport
from engine.model.keeping import VolumeUse as VolumeUse
from engine.model.measures import SAMPLE_FIELDS as SAMPLE_FIELDS
from engine.model.measures import History as History
from engine.model.measures import HostSample as HostSample
from engine.model.measures import Sample as Sample
from engine.model.measures import Snapshot as Snapshot
from engine.model.networks import NetworkSummary as NetworkSummary
from engine.model.networks import VolumeSummary as VolumeSummary
from engine.model.private import FileChange as FileChange
from engine.model.private import FileState as FileState
from engine.model.private import LayerSnapshot as LayerSnapshot
from engine.model.scenarios import KernelWrite as KernelWrite
from engine.model.scenarios import Lane as Lane
from engine.model.scenarios import LaneName as LaneName
from engine.model.scenarios import Measure as Measure
from engine.model.scenarios import Protection as Protection
from engine.model.scenarios import RunState as RunState
from engine.model.scenarios import Scenario as Scenario
from engine.model.scenarios import ScenarioAsk as ScenarioAsk
from engine.model.scenarios import ScenarioRun as ScenarioRun
from engine.model.scenarios import Tried as Tried
from engine.model.scenarios import Verdict as Verdict
from engine.model.transfers import RegistryLogin as RegistryLogin
from engine.model.transfers import Transfer as Transfer
from engine.model.transfers import TransferPart as TransferPart
