// Intake and worker on Azure Container Apps with an Azure Managed Redis. Read docs/deploy.md, "On Azure Container Apps", before: what such a
// Redis promises is less than what this service asks of one.
param location string = resourceGroup().location

@description('Images by digest: …/intake@sha256:…')
param intakeImage string
param workerImage string

@description('Pulls the images and reads the secrets. It has the role "Key Vault Secrets User" on the vault, and may pull.')
param identityId string

@description('Login server of the registry that holds the images.')
param registryServer string

@description('The vault. It holds the secrets intake-api-keys and azure-client-secret; redis-url is written by this template.')
param vaultName string

param azureTenantId string = tenant().tenantId
param azureClientId string

@description('Subnet of at least /27 for the environment, and one for the private endpoint of Redis.')
param appsSubnetId string
param endpointSubnetId string

@description('Zone privatelink.redis.azure.net, linked to the network.')
param redisZoneId string

@description('Names under which people and programs reach the intake.')
param hostNames string

resource redis 'Microsoft.Cache/redisEnterprise@2025-07-01' = {
  name: 'diq-${uniqueString(resourceGroup().id)}'
  location: location
  sku: { name: 'Balanced_B1' }
  properties: {
    highAvailability: 'Enabled'
    minimumTlsVersion: '1.2'
    publicNetworkAccess: 'Disabled'
  }
}

resource database 'Microsoft.Cache/redisEnterprise/databases@2025-07-01' = {
  parent: redis
  name: 'default'
  properties: {
    clientProtocol: 'Encrypted'
    port: 10000
    // One node, as REDIS_URL has it.
    clusteringPolicy: 'NoCluster'
    // A full Redis must refuse, not forget.
    evictionPolicy: 'NoEviction'
    accessKeysAuthentication: 'Enabled'
    persistence: {
      aofEnabled: true
      aofFrequency: '1s'
      rdbEnabled: false
    }
  }
}

resource endpoint 'Microsoft.Network/privateEndpoints@2024-07-01' = {
  name: 'diq-redis'
  location: location
  properties: {
    subnet: { id: endpointSubnetId }
    privateLinkServiceConnections: [
      {
        name: 'redis'
        properties: { privateLinkServiceId: redis.id, groupIds: ['redisEnterprise'] }
      }
    ]
  }

  resource zone 'privateDnsZoneGroups' = {
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [{ name: 'redis', properties: { privateDnsZoneId: redisZoneId } }]
    }
  }
}

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' existing = {
  name: vaultName

  // Its key goes from Redis to the vault, and into no output.
  resource redisUrl 'secrets' = {
    name: 'redis-url'
    properties: {
      value: 'rediss://:${uriComponent(database.listKeys().primaryKey)}@${redis.properties.hostName}:10000'
    }
  }
}

resource environment 'Microsoft.App/managedEnvironments@2024-03-01' = {
  name: 'diq'
  location: location
  properties: {
    vnetConfiguration: { infrastructureSubnetId: appsSubnetId, internal: true }
    workloadProfiles: [{ name: 'Consumption', workloadProfileType: 'Consumption' }]
  }
}

var secretNames = {
  intake: ['redis-url', 'intake-api-keys']
  worker: ['redis-url', 'azure-client-secret']
}

resource intake 'Microsoft.App/containerApps@2024-03-01' = {
  name: 'intake'
  location: location
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identityId}': {} } }
  dependsOn: [vault::redisUrl, endpoint::zone]
  properties: {
    environmentId: environment.id
    workloadProfileName: 'Consumption'
    configuration: {
      activeRevisionsMode: 'Single'
      registries: [{ server: registryServer, identity: identityId }]
      secrets: [
        for name in secretNames.intake: {
          name: name
          keyVaultUrl: '${vault.properties.vaultUri}secrets/${name}'
          identity: identityId
        }
      ]
      // TLS ends at the environment. /metrics and the probes are open to who reaches it: keep it internal.
      ingress: { external: true, targetPort: 8080, transport: 'http', allowInsecure: false }
    }
    template: {
      containers: [
        {
          name: 'intake'
          image: intakeImage
          resources: { cpu: json('0.5'), memory: '1Gi' }
          env: [
            { name: 'REDIS_URL', secretRef: 'redis-url' }
            { name: 'INTAKE_API_KEYS', secretRef: 'intake-api-keys' }
            { name: 'AZURE_TENANT_ID', value: azureTenantId }
            { name: 'INTAKE_HOST_NAMES', value: hostNames }
            { name: 'INTAKE_TRUSTED_PROXIES', value: 'uniquelocal' }
          ]
          probes: [
            { type: 'Startup', httpGet: { path: '/livez', port: 8080 }, periodSeconds: 2, failureThreshold: 30 }
            { type: 'Liveness', httpGet: { path: '/livez', port: 8080 }, periodSeconds: 10 }
            { type: 'Readiness', httpGet: { path: '/readyz', port: 8080 }, periodSeconds: 5 }
          ]
        }
      ]
      scale: { minReplicas: 2, maxReplicas: 4 }
    }
  }
}

resource worker 'Microsoft.App/containerApps@2024-03-01' = {
  name: 'worker'
  location: location
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identityId}': {} } }
  dependsOn: [vault::redisUrl, endpoint::zone]
  properties: {
    environmentId: environment.id
    workloadProfileName: 'Consumption'
    configuration: {
      activeRevisionsMode: 'Single'
      registries: [{ server: registryServer, identity: identityId }]
      secrets: [
        for name in secretNames.worker: {
          name: name
          keyVaultUrl: '${vault.properties.vaultUri}secrets/${name}'
          identity: identityId
        }
      ]
    }
    template: {
      containers: [
        {
          name: 'worker'
          image: workerImage
          resources: { cpu: json('0.5'), memory: '1Gi' }
          env: [
            { name: 'REDIS_URL', secretRef: 'redis-url' }
            { name: 'AZURE_CLIENT_SECRET', secretRef: 'azure-client-secret' }
            { name: 'AZURE_TENANT_ID', value: azureTenantId }
            { name: 'AZURE_CLIENT_ID', value: azureClientId }
          ]
          probes: [
            { type: 'Startup', httpGet: { path: '/livez', port: 9091 }, periodSeconds: 2, failureThreshold: 30 }
            { type: 'Liveness', httpGet: { path: '/livez', port: 9091 }, periodSeconds: 10 }
          ]
        }
      ]
      // Two, so that one can be replaced; more make nothing faster.
      scale: { minReplicas: 2, maxReplicas: 2 }
    }
  }
}

output intakeHost string = intake.properties.configuration.ingress.fqdn
