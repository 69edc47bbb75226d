# The course's problem with Stan and lme4: `python -m benchmarks.peers` calls this with a folder of data.
# Debian: apt-get install r-cran-rstan r-cran-lme4 r-cran-jsonlite libboost-dev libeigen3-dev
folder <- commandArgs(trailingOnly = TRUE)[1]
rows <- read.csv(file.path(folder, "rows.csv"))
given <- jsonlite::fromJSON(file.path(folder, "priors.json"))
result <- list()

# One residual variance and normal effects: a smaller model, whose point estimate is what many would compute first.
start <- proc.time()[["elapsed"]]
fit <- suppressMessages(lme4::lmer(total ~ 1 + (1 | layer_1) + (1 | layer_2), rows))
result$lme4 <- list(seconds = proc.time()[["elapsed"]] - start, residual_sd = sigma(fit))

if (requireNamespace("rstan", quietly = TRUE)) {
  code <- "
data {
  int N; int M1; int M2; vector[N] x; int k1[N]; int k2[N];
  matrix[M1, M1 - 1] H1; matrix[M2, M2 - 1] H2;  // orthonormal, columns sum to zero
  real b_mu; real b_sd; real mu_sd; real s;
}
parameters {
  real mu0; vector[M1 - 1] z1; vector[M2 - 1] z2;
  real<lower=0> s0; vector<lower=0>[M1] s1; vector<lower=0>[M2] s2;
}
transformed parameters {
  vector[M1] mu1 = mu_sd * (H1 * z1); vector[M2] mu2 = mu_sd * (H2 * z2);
}
model {
  mu0 ~ normal(b_mu, b_sd); z1 ~ normal(0, 1); z2 ~ normal(0, 1);
  s0 ~ weibull(2, s); s1 ~ weibull(2, s); s2 ~ weibull(2, s);
  x ~ normal(mu0 + mu1[k1] + mu2[k2], sqrt(square(s0) + square(s1[k1]) + square(s2[k2])));
}"
  basis <- function(m) qr.Q(qr(cbind(1, diag(m)[, -1])))[, -1]
  k1 <- as.integer(factor(rows$layer_1)); k2 <- as.integer(factor(rows$layer_2))
  data <- c(list(N = nrow(rows), M1 = max(k1), M2 = max(k2), x = rows$total, k1 = k1, k2 = k2,
                 H1 = basis(max(k1)), H2 = basis(max(k2))), given$priors)
  # Debian keeps Boost with the system's headers, where rstan does not look.
  if (!nzchar(system.file("include", package = "BH"))) rstan::rstan_options(boost_lib = "/usr/include")
  start <- proc.time()[["elapsed"]]
  compiled <- rstan::stan_model(model_code = code)
  compile_seconds <- proc.time()[["elapsed"]] - start
  start <- proc.time()[["elapsed"]]
  fit <- rstan::sampling(compiled, data, chains = 4, cores = given$cores, seed = 1, refresh = 0,
                         warmup = given$tune, iter = given$tune + given$draws,
                         control = list(adapt_delta = given$target_accept))
  seconds <- proc.time()[["elapsed"]] - start
  # warmup = 0: the fit has dropped its tuning draws already. Without its class, rows can be picked.
  found <- as.data.frame(unclass(rstan::monitor(as.array(fit), warmup = 0, print = FALSE)))
  found <- found[rownames(found) != "lp__", ]
  divergences <- rstan::get_num_divergent(fit)
  passed <- max(found$Rhat) <= 1.01 && min(found$Bulk_ESS, found$Tail_ESS) >= 400 && divergences == 0
  result$stan <- list(compile_seconds = compile_seconds, sampling_seconds = seconds, max_rhat = max(found$Rhat),
                      divergences = divergences, passed = passed,
                      min_ess_bulk = min(found$Bulk_ESS), min_ess_tail = min(found$Tail_ESS))
  if (passed) result$stan$ess_bulk_per_second <- min(found$Bulk_ESS) / seconds
}
writeLines(jsonlite::toJSON(result, auto_unbox = TRUE, pretty = TRUE, digits = 6), file.path(folder, "result.json"))
