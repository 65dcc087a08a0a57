"""The papers that the algorithms come from, cited in full once; docstrings name them by author and year."""

from __future__ import annotations

BRENT_KUNG = "Brent, Kung: A Regular Layout for Parallel Adders. IEEE Trans. Computers C-31(3), 1982"
BRUCK = (
    "Bruck, Ho, Kipnis, Upfal, Weathersby: Efficient Algorithms for All-to-All Communications in Multiport "
    "Message-Passing Systems. IEEE TPDS 8(11), 1997"
)
CHAN = (
    "Chan, Heimlich, Purkayastha, van de Geijn: Collective Communication: Theory, Practice, and Experience. "
    "Concurrency and Computation: Practice and Experience 19(13), 2007"
)
COPIK = "Copik et al.: FMI: Fast and Cheap Message Passing for Serverless Functions. arXiv:2305.08763, 2023"
HENSGEN = (
    "Hensgen, Finkel, Manber: Two Algorithms for Barrier Synchronization. Int. J. Parallel Programming 17(1), 1988"
)
HILLIS_STEELE = "Hillis, Steele: Data Parallel Algorithms. Communications of the ACM 29(12), 1986"
PATARASUK_YUAN = (
    "Patarasuk, Yuan: Bandwidth Optimal All-reduce Algorithms for Clusters of Workstations. "
    "J. Parallel and Distributed Computing 69(2), 2009"
)
PJESIVAC = (
    "Pješivac-Grbović, Angskun, Bosilca, Fagg, Gabriel, Dongarra: Performance Analysis of MPI Collective "
    "Operations. Cluster Computing 10(2), 2007"
)
RABENSEIFNER = "Rabenseifner: Optimization of Collective Reduction Operations. ICCS, LNCS 3036, 2004"
SANDERS_TRAFF = "Sanders, Träff: Parallel Prefix (Scan) Algorithms for MPI. EuroPVM/MPI, LNCS 4192, 2006"
THAKUR = (
    "Thakur, Rabenseifner, Gropp: Optimization of Collective Communication Operations in MPICH. "
    "Int. J. High Performance Computing Applications 19(1), 2005"
)
