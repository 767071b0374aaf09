import KernelInterface
import Kernels
import KernelsAVX2
import KernelsAVX512

extension KernelSet {
    /// Those that this processor runs, the fastest first.
    ///
    /// Code for newer processors, even that which makes their set, is entered only behind the look at this
    /// one. Where the package is compiled without their flags, their sets would be portable ones.
    package static let here: [KernelSet] = {
        var sets: [KernelSet] = []
        if ProcessorFeatures.hasAVX512, KernelsAVX512.Instructions.areFused {
            sets.append(KernelsAVX512.CompiledKernels.all)
        }
        if ProcessorFeatures.hasAVX2, KernelsAVX2.Instructions.areFused {
            sets.append(KernelsAVX2.CompiledKernels.all)
        }
        return sets + [Kernels.CompiledKernels.all]
    }()

    static var best: KernelSet { here[0] }
}
