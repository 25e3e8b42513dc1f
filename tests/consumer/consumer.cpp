/// \file
/// The smallest program that trains and scores with the core: which of two alternating patterns does a sequence follow?
#include "core/trainer.h"

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <numeric>
#include <vector>

int main()
{
   using namespace tmva_lstm;

   // 400 events of 3 to 9 steps with one feature: +1, -1, +1, ... (signal), or +1, +1, +1, ... (background)
   const std::size_t N = 400;
   std::vector<float> values;
   std::vector<std::int64_t> offsets{0};
   std::vector<std::int32_t> labels;
   for (std::size_t n = 0; n < N; ++n) {
      const bool signal = n % 2 == 1;
      for (std::size_t t = 0; t < 3 + n % 7; ++t)
         values.push_back((signal && t % 2 == 1 ? -1.f : 1.f) + 0.1f * static_cast<float>((n * 7 + t * 3) % 5));
      offsets.push_back(static_cast<std::int64_t>(values.size()));
      labels.push_back(signal ? 1 : 0);
   }

   LabelledView<float> events;
   events.values = values.data();
   events.offsets = offsets.data();
   events.labels = labels.data();
   events.N = N;
   events.D = 1;

   NetworkShape shape;
   shape.D = 1;
   shape.H = 6;
   TrainingOptions options;
   options.epochs = 20;
   options.batch_size = 20;
   options.optimizer.learning_rate = 0.02;

   Trainer<float> trainer(shape, Standardisation<float>::identity(1), Standardisation<float>::identity(0), options);
   std::vector<std::int64_t> all(N);
   std::iota(all.begin(), all.end(), 0);
   MemorySource<float> source(events, all, options.seed, true);
   double last_loss = 0;
   trainer.fit(source, nullptr, {}, [] { return true; },
               [&](const EpochRecord &epoch) {
                  last_loss = epoch.loss;
                  return true;
               });

   std::vector<float> logits(N);
   trainer.network().logits(events, all.data(), N, options.limits, logits.data());
   std::size_t right = 0;
   for (std::size_t n = 0; n < N; ++n)
      right += (logits[n] > 0) == (labels[n] == 1);
   std::printf("loss %.4f, %zu of %zu right\n", last_loss, right, N);
   return right > 390 && std::isfinite(last_loss) ? 0 : 1;
}
